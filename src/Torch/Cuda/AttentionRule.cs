namespace Elastic.Torch.Cuda;

/// <summary>Who sees whom in attention.</summary>
/// <param name="IsCausal">Whether a query sees its own place and those before it, and no more.</param>
/// <param name="Window">W of causal attention: a query sees its own place and the W - 1 before it; 0 for all before it.</param>
/// <param name="Ends">The sequences that see nothing of each other; null where these are the tensors' own.</param>
internal readonly record struct AttentionRule(bool IsCausal, int Window = 0, SequenceEnds? Ends = null);
