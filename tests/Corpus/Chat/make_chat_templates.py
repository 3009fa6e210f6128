"""Writes chat_templates.json: what Jinja itself makes of chat templates, in the environment that Transformers gives them.

    python3 make_chat_templates.py > chat_templates.json        (needs python3-jinja2; made with Jinja2 3.1.6)

The templates are written for these tests in the manner of the models whose names they have.
"""
import json

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment


def raise_exception(message):
    raise TemplateError(message)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
environment.globals["raise_exception"] = raise_exception

CHATS = {
    "llama3": ("<|begin_of_text|>", "<|eot_id|>", """\
{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{#- The system's message comes first, with the date. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none and tools is defined %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif message.tool_calls|length != 1 %}
        {{- raise_exception("one call at a time") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""),
    "qwen2": (None, "<|im_end|>", """\
{% for message in messages %}
{% if loop.first and messages[0]['role'] != 'system' %}
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{% endif %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""),
    "qwen3": (None, "<|im_end|>", """\
{%- set ns = namespace(last=messages|length - 1, found=false) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if not ns.found and message.role == "user" and message.content is string
           and not (message.content.startswith('<reply>') and message.content.endswith('</reply>')) %}
        {%- set ns.found = true %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "assistant" %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and loop.last %}
            {{- '<|im_start|>' ~ message.role ~ '\\n<think>\\n</think>\\n' ~ content }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""),
    "chatml": (None, "<|im_end|>", """\
{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}\
{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""),
    "zephyr": ("<s>", "</s>", """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""),
    "mistral": ("<s>", "</s>", """\
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Roles must alternate: user, assistant, user, assistant') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.first and system_message is defined %}
            {{- " [INST] " + system_message + "\\n\\n" + message["content"] + " [/INST]" }}
        {%- else %}
            {{- " [INST] " + message["content"] + " [/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported!") }}
    {%- endif %}
{%- endfor %}
"""),
}

TALKS = [
    [("user", "Is 7 prime?"), ("assistant", "Yes.")],
    [("system", " Be brief.\n"), ("user", "  Is 7 prime? "), ("assistant", "Yes.\n"), ("user", "And 9?"), ("assistant", "No, 3 x 3.")],
    [("user", "é 日本 \U0001f600 <|im_end|> </s> <|eot_id|>"), ("assistant", "<think>\nhm\n</think>\n\n{{ 7 }} {% x %}")],
    [("user", "a"), ("user", "b"), ("assistant", "c")],
    [("assistant", "I begin."), ("user", "<reply>x</reply>"), ("assistant", "d")],
]

VARIABLES = {
    "a": "  Abc def ", "n": 7, "xs": [3, 1, 2], "none": None, "yes": True, "words": ["x", "y'", "é"],
    "map": {"k": "v", "list": [1, "z"], "inner": {"q": True}}, "empty": "",
}

PARTS = [
    "{{ a }}|{{ a.strip() }}|{{ a|trim }}|{{ a.lstrip() }}|{{ a.rstrip() }}|{{ a.upper() }}|{{ a|lower }}|{{ 'hello wORLD'|capitalize }}",
    "{{ n + 1 }} {{ n - 10 }} {{ n * 2 }} {{ n // 2 }} {{ n % 4 }} {{ -n // 2 }} {{ -n % 4 }} {{ n / 2 }} {{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }}",
    "{{ n > 6 }} {{ n >= 8 }} {{ n == 7.0 }} {{ n != 7 }} {{ 1 < n }} {{ 'a' < 'b' }} {{ 'a' == 'a' }} {{ xs == [3, 1, 2] }} {{ 1 < 2 < 3 }}",
    "{{ 'b' in a }} {{ 'b' not in a }} {{ 3 in xs }} {{ 'k' in map }} {{ not n }} {{ not empty or n }} {{ n and a }} {{ empty or 'x' }}",
    "{{ xs[0] }} {{ xs[-1] }} {{ xs[1:]|join(',') }} {{ xs[:-1]|join(',') }} {{ xs[::-1]|join(',') }} {{ a[2:5] }} {{ a[::-1] }} {{ xs[5:]|length }}",
    "{{ map.k }} {{ map['k'] }} {{ map.inner.q }} {{ map.list[1] }} {{ map.missing }}. {{ map.get('k') }} {{ map.get('no', 'd') }}",
    "{{ map|tojson }} {{ words|tojson }} {{ none|tojson }} {{ n|tojson }} {{ yes|tojson }} {{ a|tojson }} {{ []|tojson }} {{ {}|tojson }}",
    "{{ map|tojson(indent=2) }}",
    "{{ none }} {{ yes }} {{ false }} {{ True }} {{ undefined_name }}. {{ 1.5 }} {{ n|string + 'x' }} {{ '7'|int + 1 }}",
    "{{ none is none }} {{ n is defined }} {{ q is defined }} {{ q is undefined }} {{ a is string }} {{ xs is iterable }} {{ map is mapping }}",
    "{{ n is odd }} {{ n is even }} {{ n is number }} {{ yes is true }} {{ yes is boolean }} {{ xs is sequence }} {{ a is not string }}",
    "{{ 'x' if n > 6 else 'y' }} {{ 'x' if n > 8 else 'y' }} {{ 'x' if n > 8 }}. {{ 'a' if no else 'b' if n else 'c' }}",
    "{{ 'a' ~ n ~ none ~ yes }} {{ 'a' 'b' \"c\" }} {{ '\\t\\'\\\"\\\\' }} {{ 'a\\\\nb' }} {{ \"\\u00e9\" }}",
    "{{ xs|first }} {{ xs|last }} {{ xs|length }} {{ a|length }} {{ xs|count }} {{ words|join(', ') }} {{ [1, 2]|list|length }} {{ a|replace(' ', '_') }}",
    "{{ a.split(' ')|length }} {{ 'x--y--z'.split('--')[1] }} {{ a.replace('b', 'BB') }} {{ a.startswith('  A') }} {{ a.endswith('f') }}",
    "{{ q|default('d') }} {{ empty|default('d') }}. {{ empty|default('d', true) }} {{ none|d('e') }}",
    "{% for x in xs %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ' ' if not loop.last }}{% else %}none{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none{% endfor %}{% for x in xs if x > 1 %}[{{ loop.index0 }} {{ x }} {{ loop.first }} {{ loop.revindex }}]{% endfor %}",
    "{% for k, v in map.items() %}{{ k }}={{ v|tojson }};{% endfor %}{% for k in map %}{{ k }},{% endfor %}{% for c in 'abc' %}<{{ c }}>{% endfor %}",
    "{% set x = 1 %}{% for i in range(3) %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(x=1) %}{% for i in range(1, 8, 3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }} {% for i in range(3, 0, -1) %}{{ i }}{% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% if n > 8 %}a{% elif n > 6 %}b{% elif n > 5 %}c{% else %}d{% endif %}{% if no %}x{% endif %}.",
    "a\n  {% if yes %}\n    b\n  {% endif %}\nc\n  {{ n }}\n  {# a note #}\nd\n",
    "a\n  {%- if yes -%}\n    b\n  {%- endif -%}\nc\n  {{- n -}}\n  {#- a note -#}\nd\n\n",
    "a {%+ if yes +%}\n b {% endif +%}\n c\n    {%+ if yes %}\nd{% endif %}\n  {% set z = 1 %}  \n  e",
    "{% if yes %}\n\n  x\n{% endif %}  {% if yes %}  y{% endif %}\n\n\n",
    "{{ '{{' }} {{ '%}' }} { % } {{ {'a': {'b': 1}}.a.b }} }} {",
    "{{ (1, 2)|length }} {{ [1, [2, 3]][1][0] }} {{ [1, 2] + [3] == [1, 2, 3] }} {{ 'abc'[1] }} {{ 'abc'[-1:] }}",
    "{{ -2 + 3 }} {{ 2 - -1 }} {{ not 1 == 2 }} {{ not (1 in xs) }} {{ 1 if yes and not no else 2 }}",
    "{{ a|trim|upper|length }} {{ (a|trim ~ '!')|length }} {{ 'x' + a|trim + 'y' }} {{ n|string is string }}",
    "\r\nx\r\n{% if yes %}\r\ny\r\n{% endif %}\r\n",
]


def rendered(template, **variables):
    try:
        return {"text": environment.from_string(template).render(**variables)}
    except TemplateError as error:
        return {"refusal": str(error)}


chats = []
for name, (bos, eos, template) in CHATS.items():
    tokens = {k: v for k, v in (("bos_token", bos), ("eos_token", eos)) if v is not None}
    for talk in TALKS:
        messages = [{"role": role, "content": content} for role, content in talk]
        for begins in (False, True):
            given = messages[:-1] if begins else messages
            chats.append({"template": name, "messages": given, "begins": begins,
                          **rendered(template, messages=given, add_generation_prompt=begins, **tokens)})
print(json.dumps({
    "templates": {name: {"bos": bos, "eos": eos, "jinja": template} for name, (bos, eos, template) in CHATS.items()},
    "chats": chats,
    "variables": VARIABLES,
    "parts": [{"template": part, **rendered(part, **VARIABLES)} for part in PARTS],
}, indent=1, ensure_ascii=True))
