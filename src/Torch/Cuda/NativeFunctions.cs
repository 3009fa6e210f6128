using System.Runtime.InteropServices;
using Elastic.Foundation;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Functions of a library that are looked up by name, all at once when it is loaded. Versions differ in which ones they have: a missing one
/// is an error where it is called, and no error where nobody calls it.
/// </summary>
internal sealed class NativeFunctions
{
    private readonly string _library;
    private readonly Dictionary<string, nint> _found = [];

    /// <param name="library">For messages, e.g. "libcuda.so.1".</param>
    /// <param name="handle">Handle of the loaded library.</param>
    public NativeFunctions(string library, nint handle, IReadOnlyList<string> names)
    {
        _library = library;
        foreach (var name in names)
        {
            if (NativeLibrary.TryGetExport(handle, name, out var address))
                _found[name] = address;
        }
        Missing = [.. names.Where(n => !_found.ContainsKey(n))];
    }

    /// <summary>Names of the functions that the library lacks.</summary>
    public IReadOnlyList<string> Missing { get; }

    /// <summary>The address of a function.</summary>
    /// <exception cref="ElasticException">The library lacks it.</exception>
    public nint this[string name] => _found.TryGetValue(name, out var address) ? address : throw new ElasticException(
        $"{_library} has no {name}: install a driver and a libtorch that belong together");

    /// <summary>True where the library has it.</summary>
    public bool Has(string name) => _found.ContainsKey(name);
}
