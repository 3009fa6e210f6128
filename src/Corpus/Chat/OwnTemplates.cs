namespace Elastic.Corpus;

/// <summary>
/// The templates that need no file. What a line's end behind a tag and blanks before one mean: see <see cref="TemplateLexer"/>.
/// </summary>
internal static class OwnTemplates
{
    /// <summary>For tokenizers without marks. The space before an answer belongs to it, as tokenizers have it.</summary>
    public const string Plain = """
        {% for message in messages %}
        {% if message['role'] == 'assistant' %}
        {{ 'Assistant:' }}{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}
        {% else %}
        {{ ('User: ' if message['role'] == 'user' else '') + message['content'] + '\n' -}}
        {% endif %}
        {% endfor %}
        {% if add_generation_prompt %}
        {{ 'Assistant:' -}}
        {% endif %}
        """;

    /// <summary>The template of Qwen and many others.</summary>
    public const string Chatml = """
        {% for message in messages %}
        {{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}
        {% endfor %}
        {% if add_generation_prompt %}
        {{ '<|im_start|>assistant\n' -}}
        {% endif %}
        """;

    /// <summary>The template of Llama 3.</summary>
    public const string Llama3 = """
        {{ '<|begin_of_text|>' -}}
        {% for message in messages %}
        {{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' -}}
        {% endfor %}
        {% if add_generation_prompt %}
        {{ '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
        {% endif %}
        """;
}
