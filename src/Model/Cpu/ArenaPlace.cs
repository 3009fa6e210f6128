using System.Runtime.InteropServices;

namespace Elastic.Model.Cpu;

/// <summary>Where something of a pass lies.</summary>
/// <param name="IsKept">
/// In the block of memory that a stage of a pipeline keeps for each micro-batch from its forward to its backward pass; otherwise in the
/// block that all passes of the stage work in.
/// </param>
/// <param name="Offset">Floats from the start of the block.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ArenaPlace(bool IsKept, long Offset);
