namespace Elastic.Corpus;

/// <summary>Reads what stands behind a value: its members, its items, calls, filters and tests.</summary>
internal sealed class TemplatePostfix(TemplateCursor cursor, TemplateExpressions expressions)
{
    private const string Namespace = "namespace";

    /// <summary>The value with its members, items and calls.</summary>
    public TemplateExpression Read(TemplateExpression value)
    {
        while (true)
        {
            var line = cursor.Token.Line;
            if (cursor.TakeSign("."))
            {
                var name = cursor.Name();
                value = cursor.IsSign("(") ? Method(value, name, line) : Member(value, name);
            }
            else if (cursor.TakeSign("["))
                value = Item(value, line);
            else if (cursor.IsSign("("))
                value = Call(value, line);
            else
                return value;
            cursor.Link();
        }
    }

    /// <summary>The value with its filters and tests.</summary>
    public TemplateExpression Filtered(TemplateExpression value)
    {
        while (true)
        {
            var line = cursor.Token.Line;
            if (cursor.TakeSign("|"))
            {
                var name = cursor.Name();
                if (!TemplateFunctions.Filters.TryGetValue(name, out var filter))
                    throw cursor.Unknown("filter", name, TemplateFunctions.Filters.Keys);
                var (of, given) = (value, cursor.IsSign("(") ? Arguments() : []);
                value = Applied(filter, of, given, line);
            }
            else if (cursor.TakeName("is"))
            {
                var isNot = cursor.TakeName("not");
                var name = cursor.Name();
                if (!TemplateFunctions.Tests.TryGetValue(name, out var test))
                    throw cursor.Unknown("test", name, TemplateFunctions.Tests.Keys);
                var of = value;
                value = run => test(of(run)) != isNot;
            }
            else
                return value;
            cursor.Link();
        }
    }

    private static TemplateExpression Member(TemplateExpression value, string name) => run =>
        value(run) is Dictionary<string, object?> map && map.TryGetValue(name, out var found) ? found : TemplateValues.Undefined;

    private TemplateExpression Method(TemplateExpression value, string name, int line)
    {
        if (!TemplateFunctions.Methods.TryGetValue(name, out var method))
            throw cursor.Unknown("method", name, TemplateFunctions.Methods.Keys);
        var given = Arguments();
        return Applied(method, value, given, line);
    }

    private static TemplateExpression Applied(
        TemplateFunctions.Function function, TemplateExpression value, List<(string? Name, TemplateExpression Value)> given,
        int line) => run =>
    {
        var at = new TemplatePlace(run, line);
        return at.Counted(function(at.Counted(value(run)), [.. given.Select(g => g.Value(run))], at));
    };

    // A name alone: what it stands for is looked up among the functions.
    private TemplateExpression Call(TemplateExpression value, int line)
    {
        var given = Arguments();
        return run => value(run) switch
        {
            TemplateFunctions.Function function => function(null, [.. given.Select(g => g.Value(run))], new TemplatePlace(run, line)),
            string and Namespace => Members(given, run),
            _ => throw TemplateRun.Refusal(line, "calls what is no function here: known are "
                + string.Join(", ", TemplateFunctions.Globals.Keys.Append(Namespace).Order(StringComparer.Ordinal))),
        };
    }

    // Of a name that is given twice the last value counts.
    private static Dictionary<string, object?> Members(List<(string? Name, TemplateExpression Value)> given, TemplateRun run)
    {
        var members = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, value) in given)
            members[name ?? ""] = value(run);
        return members;
    }

    // An item, or the items from one to another: [a:b:c].
    private TemplateExpression Item(TemplateExpression value, int line)
    {
        var parts = new List<TemplateExpression?> { null };
        while (!cursor.TakeSign("]"))
            if (cursor.TakeSign(":"))
                parts.Add(null);
            else if (parts[^1] is null && parts.Count <= 3)
                parts[^1] = expressions.Read();
            else
                throw cursor.Wrong("expected \"]\"");
        if (parts.Count == 1)
        {
            var key = parts[0] ?? throw cursor.Wrong("expected an item before \"]\"");
            return run => TemplateArithmetic.Item(value(run), key(run));
        }
        return run => run.Counted(
            TemplateArithmetic.Slice(value(run), [.. parts.Select(p => p?.Invoke(run))], new TemplatePlace(run, line)), line);
    }

    private List<(string? Name, TemplateExpression Value)> Arguments()
    {
        var given = new List<(string?, TemplateExpression)>();
        cursor.Need("(");
        while (!cursor.TakeSign(")"))
        {
            string? name = null;
            if (cursor.Token.Kind == TemplateTokenKind.Name && cursor.IsSignBehind("="))
            {
                name = cursor.Name();
                cursor.Need("=");
            }
            given.Add((name, expressions.Read()));
            if (!cursor.TakeSign(",") && !cursor.IsSign(")"))
                throw cursor.Wrong("expected \")\"");
        }
        return given;
    }
}
