using System.Globalization;

namespace Elastic.Corpus;

/// <summary>What a part of an expression is worth in a rendering.</summary>
internal delegate object? TemplateExpression(TemplateRun run);

/// <summary>Reads the expressions of templates, in Jinja's order of precedence.</summary>
internal sealed class TemplateExpressions(TemplateCursor cursor)
{
    private static readonly string[] Comparisons = ["==", "!=", "<=", ">=", "<", ">"];

    public TemplateExpression Read() => cursor.Inside(Conditional);

    /// <summary>What a loop goes through, and the condition of its items; null for none.</summary>
    public (TemplateExpression Items, TemplateExpression? Condition) ReadItems() => (Or(), cursor.TakeName("if") ? Read() : null);

    private TemplateExpression Conditional()
    {
        var chosen = Or();
        while (cursor.TakeName("if"))
        {
            cursor.Link();
            var (value, condition) = (chosen, Or());
            var other = cursor.TakeName("else") ? Read() : _ => TemplateValues.Undefined;
            chosen = run => TemplateValues.IsTrue(condition(run)) ? value(run) : other(run);
        }
        return chosen;
    }

    private TemplateExpression Or()
    {
        var left = And();
        while (cursor.TakeName("or"))
        {
            cursor.Link();
            var (one, other) = (left, And());
            left = run => one(run) is var value && TemplateValues.IsTrue(value) ? value : other(run);
        }
        return left;
    }

    private TemplateExpression And()
    {
        var left = Not();
        while (cursor.TakeName("and"))
        {
            cursor.Link();
            var (one, other) = (left, Not());
            left = run => one(run) is var value && TemplateValues.IsTrue(value) ? other(run) : value;
        }
        return left;
    }

    private TemplateExpression Not()
    {
        if (!cursor.TakeName("not"))
            return Comparison();
        var negated = cursor.Inside(Not);
        return run => !TemplateValues.IsTrue(negated(run));
    }

    // Of several in a row each has to hold.
    private TemplateExpression Comparison()
    {
        var first = Sum();
        TemplateExpression? all = null;
        while (true)
        {
            var line = cursor.Token.Line;
            Func<object?, object?, TemplatePlace, bool> holds;
            if (cursor.Token.Kind == TemplateTokenKind.Sign && Array.IndexOf(Comparisons, cursor.Token.Text) >= 0)
                holds = Holds(cursor.Next().Text);
            else if (cursor.IsName("in") || (cursor.IsName("not") && cursor.IsNameBehind("in")))
            {
                var isNot = cursor.Next().Text == "not" && cursor.TakeName("in");
                holds = (item, items, at) => (TemplateValues.Contains(items, item, at)
                    ?? throw at.Refusal($"looks into {TemplateValues.Text(items, at)}, which holds nothing")) != isNot;
            }
            else
                return all ?? first;
            cursor.Link();
            var (left, right, before) = (first, Sum(), all);
            all = run => (before is null || TemplateValues.IsTrue(before(run)))
                && holds(run.Counted(left(run), line), run.Counted(right(run), line), new TemplatePlace(run, line));
            first = right;
        }
    }

    private static Func<object?, object?, TemplatePlace, bool> Holds(string sign)
    {
        if (sign is "==" or "!=")
            return (one, other, at) => TemplateValues.AreEqual(one, other, at) == (sign == "==");
        return (one, other, at) =>
        {
            var order = TemplateValues.Compare(one, other) ?? throw at.Refusal(
                $"compares {TemplateValues.Text(one, at)} with {TemplateValues.Text(other, at)}, which have no order");
            return sign switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
        };
    }

    private TemplateExpression Sum() => Chain(["+", "-"], Joined);

    private TemplateExpression Joined() => Chain(["~"], Product);

    private TemplateExpression Product() => Chain(["*", "//", "/", "%"], () => Unary(takesFilters: true));

    private TemplateExpression Chain(string[] signs, Func<TemplateExpression> part)
    {
        var left = part();
        while (cursor.Token.Kind == TemplateTokenKind.Sign && Array.IndexOf(signs, cursor.Token.Text) >= 0)
        {
            cursor.Link();
            var (sign, one, other) = (cursor.Next(), left, part());
            left = run => run.Counted(
                TemplateArithmetic.Of(sign.Text, one(run), other(run), new TemplatePlace(run, sign.Line)), sign.Line);
        }
        return left;
    }

    private TemplateExpression Unary(bool takesFilters)
    {
        var line = cursor.Token.Line;
        TemplateExpression value;
        if (cursor.TakeSign("-"))
        {
            var of = cursor.Inside(() => Unary(takesFilters: false));
            value = run => TemplateArithmetic.Of("-", 0L, of(run), new TemplatePlace(run, line));
        }
        else if (cursor.TakeSign("+"))
            value = cursor.Inside(() => Unary(takesFilters: false));
        else
            value = new TemplatePostfix(cursor, this).Read(Primary());
        return takesFilters ? new TemplatePostfix(cursor, this).Filtered(value) : value;
    }

    private TemplateExpression Primary()
    {
        var token = cursor.Next();
        switch (token.Kind)
        {
            case TemplateTokenKind.Text:
                var text = token.Text;
                while (cursor.Token.Kind == TemplateTokenKind.Text)
                {
                    cursor.Link();
                    text += cursor.Next().Text;
                }
                var written = new TemplateText(text);
                return _ => written;
            case TemplateTokenKind.Whole when long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole):
                return _ => whole;
            case TemplateTokenKind.Real:
                var real = double.Parse(token.Text, CultureInfo.InvariantCulture);
                return _ => real;
            case TemplateTokenKind.Name:
                return Named(token.Text, token.Line);
            case TemplateTokenKind.Sign when token.Text == "(":
                var inside = Listed(")");
                return inside is ([var only], false) ? only : List(inside.Items);
            case TemplateTokenKind.Sign when token.Text == "[":
                return List(Listed("]").Items);
            case TemplateTokenKind.Sign when token.Text == "{":
                return Map();
            default:
                throw cursor.Wrong($"expected a value behind \"{token.Text}\"");
        }
    }

    private static TemplateExpression Named(string name, int line)
    {
        object? constant = name switch
        {
            "true" or "True" => true,
            "false" or "False" => false,
            "none" or "None" => null,
            _ => TemplateValues.Undefined,
        };
        if (constant != TemplateValues.Undefined)
            return _ => constant;
        return run =>
        {
            run.Step(line);
            return run.Find(name);
        };
    }

    private static TemplateExpression List(List<TemplateExpression> items) => run => items.ConvertAll(i => i(run));

    private (List<TemplateExpression> Items, bool HasComma) Listed(string close)
    {
        var (items, hasComma) = (new List<TemplateExpression>(), false);
        while (!cursor.TakeSign(close))
        {
            items.Add(Read());
            if (cursor.TakeSign(","))
                hasComma = true;
            else if (!cursor.IsSign(close))
                throw cursor.Wrong($"expected \"{close}\"");
        }
        return (items, hasComma);
    }

    private TemplateExpression Map()
    {
        var line = cursor.Token.Line;
        var pairs = new List<(TemplateExpression Key, TemplateExpression Value)>();
        while (!cursor.TakeSign("}"))
        {
            var key = Read();
            cursor.Need(":");
            pairs.Add((key, Read()));
            if (!cursor.TakeSign(",") && !cursor.IsSign("}"))
                throw cursor.Wrong("expected \"}\"");
        }
        return run =>
        {
            var map = new Dictionary<string, object?>(StringComparer.Ordinal);
            foreach (var (key, value) in pairs)
                map[TemplateValues.Text(key(run), new TemplatePlace(run, line)).Text] = value(run);
            return map;
        };
    }
}
