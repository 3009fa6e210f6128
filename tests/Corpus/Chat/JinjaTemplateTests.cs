using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests;

/// <summary>The part of Jinja that chat templates use, against Jinja itself: make_chat_templates.py.</summary>
public sealed class JinjaTemplateTests
{
    private const string OfItself = "{% set ns = namespace() %}{% set ns.a = ns %}";
    private const string ManyTimes =
        "{% set n = namespace(l='ab') %}{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% endfor %}";

    internal static JsonObject Reference { get; } = Read();

    [Fact]
    public void Each_part_of_the_language_writes_what_Jinja_writes()
    {
        var variables = Reference["variables"]!.AsObject().Select(p => KeyValuePair.Create(p.Key, Value(p.Value))).ToList();
        Assert.All(Reference["parts"]!.AsArray(), part =>
        {
            var source = (string)part!["template"]!;
            Assert.Equal((string)part["text"]!, Text(new JinjaTemplate(source, "t").Render(variables)));
        });
    }

    [Fact]
    public void Templates_in_the_manner_of_published_ones_write_or_refuse_what_Jinja_writes_or_refuses() =>
        Assert.All(Reference["chats"]!.AsArray(), chat =>
        {
            var template = Reference["templates"]![(string)chat!["template"]!]!;
            var variables = new List<KeyValuePair<string, object?>>
            {
                new("messages", Value(chat["messages"])), new("add_generation_prompt", (bool)chat["begins"]!),
            };
            foreach (var token in (string[])["bos", "eos"])
                if ((string?)template[token] is { } text)
                    variables.Add(new($"{token}_token", new TemplateText(text)));
            var jinja = new JinjaTemplate((string)template["jinja"]!, "t");
            if ((string?)chat["refusal"] is { } why)
                Assert.Equal(
                    $"the chat template refuses the messages: {why}",
                    Assert.Throws<FormatException>(() => jinja.Render(variables)).Message);
            else
                Assert.Equal((string)chat["text"]!, Text(jinja.Render(variables)));
        });

    [Theory]
    [InlineData("{% macro f(x) %}{% endmacro %}",
        "t, line 1: the statement \"macro\" is not known here: known are for, generation, if, set")]
    [InlineData("a\n{{ x | selectattr('role') }}", "t, line 2: the filter \"selectattr\" is not known here: known are capitalize, count, ")]
    [InlineData("{{ x is divisibleby 3 }}", "the test \"divisibleby\" is not known here: known are boolean, defined, ")]
    [InlineData("{{ x.format(1) }}", "the method \"format\" is not known here: known are endswith, get, ")]
    [InlineData("{% set x %}a{% endset %}", "the form of set \"x without a value\" is not known here")]
    [InlineData("{% if x %}a", "expected elif or else or endif, found the end of a tag")]
    [InlineData("a{% endif %}", "the statement \"endif\" is not known here")]
    [InlineData("{{ x", "t, line 1: a tag begins, and does not end with }}")]
    [InlineData("\n{# x", "t, line 2: a comment begins, and does not end")]
    [InlineData("{{ 'x }}", "a text begins, and does not end with '")]
    [InlineData("{{ x ? y }}", "\"?\" has no meaning here")]
    [InlineData("{{ x y }}", "expected the end of the tag, found \"y\"")]
    [InlineData("{{ }}", "expected a value behind \"}}\"")]
    [InlineData("{% for x xs %}{% endfor %}", "expected \"in\", found \"xs\"")]
    public void What_it_does_not_know_is_refused_by_its_name_and_line(string source, string why) =>
        Assert.Contains(why, Assert.Throws<ElasticException>(() => new JinjaTemplate(source, "t")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{{ 1 + 'a' }}", "line 1 of the chat template has 1 + a, which have no such sum")]
    [InlineData("\n{{ 1 // 0 }}", "line 2 of the chat template divides by 0")]
    [InlineData("{{ 1 < 'a' }}", "compares 1 with a, which have no order")]
    [InlineData("{{ strftime_now('%d') }}", "calls what is no function here: known are namespace, raise_exception, range")]
    [InlineData("{{ 7.strip() }}", "calls strip on 7, which is no text")]
    [InlineData("{% for x in 7 %}{% endfor %}", "goes through 7, which is no list")]
    [InlineData("{{ range(9999999) }}", "calls range for more than 100000 numbers")]
    [InlineData("{{ [1] }}", "writes a list as it is: write it with tojson or join")]
    [InlineData("{% set x = 'ab' %}{% for i in range(99) %}{% set x = x %}{% endfor %}"
        + "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "makes a text of more than 4194304 characters")]
    [InlineData("{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x|replace('a', 'aa') %}{% endfor %}",
        "cuts a text into more than 100000 parts")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}", "have no such sum")]
    [InlineData("{% set n = namespace(x='ab') %}{% for i in range(20) %}{% set n.x = n.x + n.x %}{% endfor %}"
        + "{% for i in range(9999) %}{% set y = n.x|upper %}{% endfor %}", "goes through texts over and over")]
    [InlineData(OfItself + "{{ ns | tojson }}", "has lists in lists more than 200 deep, or one that holds itself")]
    [InlineData(OfItself + "{{ ns == ns }}", "or one that holds itself")]
    [InlineData(OfItself + "{{ ns in [ns] }}", "or one that holds itself")]
    [InlineData(OfItself + "{{ ns ~ 'a' }}", "or one that holds itself")]
    [InlineData(OfItself + "{{ 1 + ns }}", "or one that holds itself")]
    [InlineData(OfItself + "{{ [ns] | join }}", "or one that holds itself")]
    [InlineData(OfItself + "{{ raise_exception(ns) }}", "or one that holds itself")]
    [InlineData("{% set n = namespace() %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l | string }}", "200 deep")]
    [InlineData(ManyTimes + "{{ n.l | tojson }}", "makes a text of more than 4194304 characters")]
    [InlineData(ManyTimes + "{{ n.l | tojson(16) }}", "makes a text of more than 4194304 characters")]
    [InlineData(ManyTimes + "{% set n.m = n.l %}{{ n.l == n.m }}", "goes through texts over and over")]
    [InlineData("{% for i in range(9999) %}{% for j in range(9999) %}{% if i %}{% endif %}{% endfor %}{% endfor %}",
        "takes more than 1000000 steps")]
    public void What_cannot_be_computed_or_would_not_end_is_refused(string source, string why) => Assert.Contains(
        why, Assert.Throws<FormatException>(() => new JinjaTemplate(source, "t").Render([])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{{ (0 - 9223372036854775807 - 1) % -1 }}", "0")]
    [InlineData("{{ 'abc'[1:9:9223372036854775807] }}{{ 'abc'[2::-9223372036854775807] }}", "bc")]
    [InlineData("{% set n = namespace(a=1, a=2) %}{{ n.a }}", "2")]
    [InlineData("{{ [1, [true, none], {'a': [], 'b': {}}] | tojson }}", "[1, [true, null], {\"a\": [], \"b\": {}}]")]
    [InlineData("{{ [1, {'a': ['b']}] | tojson(1) }}", "[\n 1,\n {\n  \"a\": [\n   \"b\"\n  ]\n }\n]")]
    public void Numbers_at_their_ends_and_values_in_each_other_are_written(string source, string text) =>
        Assert.Equal(text, Text(new JinjaTemplate(source, "t").Render([])));

    [Fact]
    public void Parts_inside_each_other_have_a_bound_and_so_has_the_length()
    {
        foreach (var deep in (string[])[
            $"{{{{ {new string('(', 5000)}1{new string(')', 5000)} }}}}", $"{{{{ {new string('[', 5000)}{new string(']', 5000)} }}}}",
            $"{{{{ {string.Concat(Enumerable.Repeat("not ", 5000))}x }}}}", string.Concat(Enumerable.Repeat("{% if x %}", 5000)),
            $"{{{{ {new string('-', 5000)}1 }}}}"])
            Assert.Contains("has more than 100 parts inside each other",
                Assert.Throws<ElasticException>(() => new JinjaTemplate(deep, "t")).Message, StringComparison.Ordinal);
        Assert.Contains("at most 1048576 are read", Assert.Throws<ElasticException>(
            () => new JinjaTemplate(new string('x', JinjaTemplate.MostCharacters + 1), "t")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", " + 1")]
    [InlineData("1", " * 1")]
    [InlineData("1", " ~ 1")]
    [InlineData("x", " or x")]
    [InlineData("x", " and x")]
    [InlineData("1", " == 1")]
    [InlineData("x", " in x")]
    [InlineData("x", " if x")]
    [InlineData("x", ".a")]
    [InlineData("x", "[0]")]
    [InlineData("x", "()")]
    [InlineData("x", ".strip()")]
    [InlineData("x", "|trim")]
    [InlineData("x", " is defined")]
    [InlineData("'a'", " 'a'")]
    [InlineData("(((1 + 1) + 1) + 1)", " + (((1 + 1) + 1) + 1)")]
    public void A_chain_has_a_bound_in_each_tag(string first, string link)
    {
        string Chain(int links) => $"{{{{ {first}{string.Concat(Enumerable.Repeat(link, links))} }}}}";
        // Of several tags each may be as long; a thread has a stack of 1.5 MiB on some systems.
        var whole = new JinjaTemplate(Chain(240) + Chain(240) + $"{{% if x %}}{Chain(240)}{{% endif %}}", "t");
        var rendering = new Thread(() => Record.Exception(() => whole.Render([])), 1 << 20);
        rendering.Start();
        rendering.Join();
        foreach (var links in (int[])[1001, (JinjaTemplate.MostCharacters - 100) / link.Length])
            Assert.Contains("t, line 1: has more than 1000 operators, members, calls, filters and tests in one tag",
                Assert.Throws<ElasticException>(() => new JinjaTemplate(Chain(links), "t")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_text_makes_another_exception_than_the_two_that_say_why()
    {
        string[] words =
        [
            "{{", "}}", "{%", "%}", "{#", "#}", "-", "if", "for", "in", "set", "endif", "endfor", "else", "x", "'a'", "1", "(", ")", "[",
            "]", "{", "}", ".", "|", "trim", "is", "defined", "+", "==", ",", ":", "\n", "messages", "=", "not", "namespace", "generation",
        ];
        Gen.Int[0, words.Length - 1].List[1, 40].Sample(picked =>
        {
            try
            {
                new JinjaTemplate(string.Join(' ', picked.Select(i => words[i])), "t")
                    .Render([new("x", 1L), new("messages", new List<object?>())]);
            }
            catch (Exception e) when (e is ElasticException or FormatException)
            {
                Assert.NotEmpty(e.Message);
            }
        }, iter: 3000, threads: 1);
    }

    internal static string Text(IEnumerable<(TemplateText Text, bool IsGenerated)> written) => string.Concat(written.Select(w => w.Text));

    internal static object? Value(JsonNode? json) => json switch
    {
        null => null,
        JsonObject map => map.ToDictionary(p => p.Key, p => Value(p.Value), StringComparer.Ordinal),
        JsonArray list => list.Select(Value).ToList(),
        _ => json.GetValueKind() switch
        {
            JsonValueKind.String => new TemplateText((string)json!),
            JsonValueKind.Number => (long)json,
            var kind => kind == JsonValueKind.True,
        },
    };

    private static JsonObject Read()
    {
        using var stream = typeof(JinjaTemplateTests).Assembly.GetManifestResourceStream("chat_templates.json")!;
        return JsonNode.Parse(stream)!.AsObject();
    }
}
