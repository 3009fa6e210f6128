using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// The part of the template language Jinja that chat templates use: <c>if</c>, <c>for</c>, <c>set</c>, <c>generation</c>, expressions, and
/// the functions of <see cref="TemplateFunctions"/>. Anything else is refused by its name when the template is read. A template reads no
/// file, no clock and no member of an object: its text depends on its variables alone. Immutable.
/// </summary>
internal sealed class JinjaTemplate
{
    /// <summary>The longest template. Published ones have up to 20 KB.</summary>
    public const int MostCharacters = 1 << 20;

    private static readonly string[] Known = ["for", "generation", "if", "set"];

    private readonly TemplateCursor _cursor;
    private readonly TemplateExpressions _expressions;
    private readonly Action<TemplateRun> _write;

    /// <param name="name">What the template is called in messages.</param>
    /// <exception cref="ElasticException">It cannot be read; the message says where and why.</exception>
    public JinjaTemplate(string source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.Length > MostCharacters)
            throw new ElasticException($"{name} has {source.Length} characters, and at most {MostCharacters} are read");
        Source = source;
        _cursor = new TemplateCursor(TemplateLexer.Cut(source, name), name);
        _expressions = new TemplateExpressions(_cursor);
        _write = Body();
        if (_cursor.Token.Kind != TemplateTokenKind.Nothing)
            throw _cursor.Wrong("no block is open");
    }

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>What it writes.</summary>
    /// <exception cref="FormatException">It refuses the variables, or does not know what to do with them.</exception>
    public IReadOnlyList<(TemplateText Text, bool IsGenerated)> Render(IEnumerable<KeyValuePair<string, object?>> variables)
    {
        var all = new Dictionary<string, object?>(StringComparer.Ordinal) { ["namespace"] = "namespace" };
        foreach (var (name, function) in TemplateFunctions.Globals)
            all[name] = function;
        foreach (var (name, value) in variables)
            all[name] = value;
        var run = new TemplateRun(all);
        _write(run);
        return run.Output;
    }

    // Up to a statement that ends the block around it.
    private Action<TemplateRun> Body(params string[] ends)
    {
        var parts = new List<Action<TemplateRun>>();
        while (_cursor.Token is { Kind: not TemplateTokenKind.Nothing } token)
        {
            if (token.Kind == TemplateTokenKind.BeginStatement && ends.Any(_cursor.IsNameBehind))
                break;
            _cursor.Next();
            parts.Add(token.Kind switch
            {
                TemplateTokenKind.Data => Data(token),
                TemplateTokenKind.BeginOutput => Output(token.Line),
                _ => _cursor.Inside(Statement),
            });
        }
        if (ends.Length > 0 && _cursor.Token.Kind == TemplateTokenKind.Nothing)
            throw _cursor.Wrong($"expected {string.Join(" or ", ends)}");
        return run => parts.ForEach(part => part(run));
    }

    private static Action<TemplateRun> Data(TemplateToken token)
    {
        var text = new TemplateText(token.Text);
        return run => run.Write(text, token.Line);
    }

    private Action<TemplateRun> Output(int line)
    {
        var value = _expressions.Read();
        End();
        return run => run.Write(value(run) switch
        {
            System.Collections.ICollection => throw TemplateRun.Refusal(line, "writes a list as it is: write it with tojson or join"),
            var written => TemplateValues.Text(written, new TemplatePlace(run, line)),
        }, line);
    }

    private Action<TemplateRun> Statement()
    {
        var name = _cursor.Name();
        switch (name)
        {
            case "if":
                return If();
            case "for":
                return For();
            case "set":
                return Set();
            case "generation":
                End();
                var body = Body("endgeneration");
                Close();
                return run =>
                {
                    run.IsGenerated = true;
                    body(run);
                    run.IsGenerated = false;
                };
            default:
                throw _cursor.Unknown("statement", name, Known);
        }
    }

    private Action<TemplateRun> If()
    {
        var condition = _expressions.Read();
        End();
        var then = Body("elif", "else", "endif");
        _cursor.Next();
        Action<TemplateRun>? otherwise = null;
        if (_cursor.TakeName("elif"))
            otherwise = _cursor.Inside(If);
        else
        {
            if (_cursor.TakeName("else"))
            {
                End();
                otherwise = Body("endif");
                _cursor.Next();
            }
            _cursor.Name();
            End();
        }
        return run =>
        {
            if (TemplateValues.IsTrue(condition(run)))
                then(run);
            else
                otherwise?.Invoke(run);
        };
    }

    private Action<TemplateRun> For()
    {
        var line = _cursor.Token.Line;
        List<string> names = [_cursor.Name()];
        while (_cursor.TakeSign(","))
            names.Add(_cursor.Name());
        if (!_cursor.TakeName("in"))
            throw _cursor.Wrong("expected \"in\"");
        var (items, condition) = _expressions.ReadItems();
        End();
        var body = Body("else", "endfor");
        _cursor.Next();
        Action<TemplateRun>? none = null;
        if (_cursor.TakeName("else"))
        {
            End();
            none = Body("endfor");
            _cursor.Next();
        }
        _cursor.Name();
        End();
        return run =>
        {
            var all = TemplateFunctions.Items(items(run), new TemplatePlace(run, line));
            run.Enter();
            if (condition is not null)
                all = all.FindAll(item =>
                {
                    Take(run, names, item, line);
                    return TemplateValues.IsTrue(condition(run));
                });
            run.Leave();
            for (var i = 0; i < all.Count; i++)
            {
                run.Enter();
                run.Step(line);
                Take(run, names, all[i], line);
                run.Set("loop", Loop(all, i));
                body(run);
                run.Leave();
            }
            if (all.Count == 0)
                none?.Invoke(run);
        };
    }

    private static Dictionary<string, object?> Loop(List<object?> all, int at) => new(StringComparer.Ordinal)
    {
        ["index"] = at + 1L,
        ["index0"] = (long)at,
        ["revindex"] = (long)(all.Count - at),
        ["revindex0"] = all.Count - at - 1L,
        ["first"] = at == 0,
        ["last"] = at == all.Count - 1,
        ["length"] = (long)all.Count,
        ["previtem"] = at > 0 ? all[at - 1] : TemplateValues.Undefined,
        ["nextitem"] = at < all.Count - 1 ? all[at + 1] : TemplateValues.Undefined,
    };

    private static void Take(TemplateRun run, List<string> names, object? item, int line)
    {
        if (names.Count == 1)
        {
            run.Set(names[0], item);
            return;
        }
        var parts = TemplateFunctions.Items(item, new TemplatePlace(run, line));
        if (parts.Count != names.Count)
            throw TemplateRun.Refusal(line, $"takes {names.Count} names from {parts.Count} values");
        foreach (var (name, part) in names.Zip(parts))
            run.Set(name, part);
    }

    // Of a variable, or of a member of a namespace, which stays set behind a loop.
    private Action<TemplateRun> Set()
    {
        var line = _cursor.Token.Line;
        var name = _cursor.Name();
        var member = _cursor.TakeSign(".") ? _cursor.Name() : null;
        if (!_cursor.TakeSign("="))
        {
            if (member is not null || _cursor.Token.Kind != TemplateTokenKind.End)
                throw _cursor.Wrong("expected \"=\"");
            throw _cursor.Unknown("form of set", $"{name} without a value", ["set name = value", "set namespace.name = value"]);
        }
        var value = _expressions.Read();
        End();
        if (member is null)
            return run => run.Set(name, value(run));
        return run => (run.Find(name) as Dictionary<string, object?>
            ?? throw TemplateRun.Refusal(line, $"sets a member of {name}, which is no namespace"))[member] = value(run);
    }

    private void Close()
    {
        _cursor.Next();
        _cursor.Name();
        End();
    }

    private void End()
    {
        if (_cursor.Token.Kind != TemplateTokenKind.End)
            throw _cursor.Wrong("expected the end of the tag");
        _cursor.Next();
    }
}
