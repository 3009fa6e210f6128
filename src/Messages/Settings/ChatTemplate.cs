namespace Elastic.Messages.Settings;

/// <summary>How the messages of a conversation are written down as one text.</summary>
public enum ChatTemplate
{
    /// <summary>Records are no conversations.</summary>
    None,

    /// <summary>The words "User:" and "Assistant:" mark turns, an end of text ends each answer: for tokenizers without marks.</summary>
    Plain,

    /// <summary>Each message between &lt;|im_start|&gt; with its role and &lt;|im_end|&gt;, as Qwen and many others have it.</summary>
    Chatml,

    /// <summary>Each message behind a header with its role, with &lt;|eot_id|&gt; at its end, as Llama 3 has it.</summary>
    Llama3,

    /// <summary>The template that comes with the tokenizer.</summary>
    Tokenizer,
}
