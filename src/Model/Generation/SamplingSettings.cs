namespace Elastic.Model.Generation;

/// <summary>How the next token is drawn.</summary>
/// <param name="Temperature">Divides the logits; 0 takes the likeliest token.</param>
/// <param name="TopK">Draws among this many likeliest tokens; 0 for all.</param>
/// <param name="TopP">Draws among the fewest likeliest tokens with this share of probability (Holtzman et al. 2020); 1 for all.</param>
/// <param name="Seed">Decides the draws: the same seed gives the same text, whatever else is computed with it.</param>
public sealed record SamplingSettings(double Temperature = 1.0, int TopK = 0, double TopP = 1.0, ulong Seed = 42)
{
    /// <summary>
    /// θ of Keskar et al. 2019, section 4.1: divides the logits of tokens that the prompt or the text already has; 1 for no penalty. A
    /// logit below 0 is multiplied instead, as published implementations do: to divide it would make the token likelier.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Is subtracted from the logit of a token once for each time that it was drawn.</summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>Is subtracted from the logit of a token that was drawn.</summary>
    public double PresencePenalty { get; init; }

    /// <summary>Which of several texts of one seed: each draws words of its own.</summary>
    public int Sample { get; init; }
}
