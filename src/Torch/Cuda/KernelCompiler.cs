using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Compiles <see cref="KernelSource"/> for a GPU with NVRTC, once for each of its units, options and version: the results are kept in a
/// folder under names made of these.
/// </summary>
internal sealed unsafe class KernelCompiler
{
    private static readonly string[] Names =
    [
        "nvrtcVersion", "nvrtcGetErrorString", "nvrtcCreateProgram", "nvrtcCompileProgram", "nvrtcGetProgramLogSize", "nvrtcGetProgramLog",
        "nvrtcGetCUBINSize", "nvrtcGetCUBIN", "nvrtcDestroyProgram",
    ];

    /// <summary>A machine has a kind or two of GPUs, and few versions of Elastic and of NVRTC at a time.</summary>
    internal static readonly int MostKept = 32 * KernelSource.Units.Count;

    // Nobody writes one file for so long.
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    private readonly NativeFunctions _functions;
    private readonly string? _cache;

    /// <param name="library">For messages, e.g. "libnvrtc.so.12".</param>
    /// <param name="handle">Handle of the loaded library.</param>
    /// <param name="cache">The folder of compiled kernels, which need not exist; null to compile each time.</param>
    public KernelCompiler(string library, nint handle, string? cache)
    {
        (_functions, _cache) = (new NativeFunctions(library, handle, Names), cache);
        int major, minor;
        Check(((delegate* unmanaged<int*, int*, int>)_functions["nvrtcVersion"])(&major, &minor), "nvrtcVersion");
        Version = $"{major}.{minor}";
    }

    /// <summary>E.g. "12.8".</summary>
    public string Version { get; }

    /// <summary>Functions that the library lacks.</summary>
    public IReadOnlyList<string> Missing => _functions.Missing;

    /// <summary>Where this user's compiled kernels are kept on this machine: the newest few. Null for a user without a folder.</summary>
    public static string? DefaultCache { get; } = CacheIn(Environment.GetFolderPath(
        Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify));

    /// <summary>
    /// The kernels for a compute capability, e.g. 9.0: a cubin of each unit. Those that are not kept are compiled side by side: one after
    /// another they took 16 s.
    /// </summary>
    /// <exception cref="ElasticException">The compiler refuses the source or the capability; has its words.</exception>
    public IReadOnlyList<byte[]> Compile(int major, int minor)
    {
        // Nothing is contracted, approximated or flushed: each operation is the one that is written, rounded as IEEE 754 has it.
        string[] options =
        [
            $"--gpu-architecture=sm_{major}{minor}", "--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false",
        ];
        var cubins = new byte[KernelSource.Units.Count][];
        var problems = new Exception?[cubins.Length];
        Parallel.For(0, cubins.Length, i =>
        {
            try
            {
                cubins[i] = Find(KernelSource.Units[i], options);
            }
            catch (Exception e)
            {
                problems[i] = e;
            }
        });
        if (Array.Find(problems, p => p is not null) is { } problem)
            ExceptionDispatchInfo.Throw(problem);
        return cubins;
    }

    /// <summary>
    /// The cache in a folder of one user's own; null where there is none: in a folder of all, such as that of temporary files, another user
    /// could leave other kernels under these names.
    /// </summary>
    internal static string? CacheIn(string localFolder) =>
        localFolder.Length > 0 ? Path.Combine(localFolder, "elastic", "kernels") : null;

    // A file is the SHA-256 of the rest of it, and the rest: a damaged one is compiled again.
    private static byte[]? Read(string path)
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            return bytes.Length > SHA256.HashSizeInBytes
                && SHA256.HashData(bytes.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes))
                    ? bytes[SHA256.HashSizeInBytes..]
                    : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // One that is kept, or made now.
    private byte[] Find(string source, string[] options)
    {
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', [Version, .. options, source]))))[..32];
        var path = _cache is null ? null : Path.Combine(_cache, $"{key}.cubin");
        if (path is not null && Read(path) is { } kept)
            return kept;
        var cubin = CompileNow(source, options);
        if (path is not null)
            Keep(path, cubin);
        return cubin;
    }

    // A machine that cannot keep it compiles again each time, which takes seconds.
    private static void Keep(string path, byte[] cubin)
    {
        try
        {
            var folder = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.Write(path, [.. SHA256.HashData(cubin), .. cubin]);
            Prune(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    // Each version of the source adds a file, and a process that was killed may leave one half written.
    private static void Prune(DirectoryInfo folder)
    {
        var files = folder.GetFiles();
        var old = files.Where(f => f.Extension == ".cubin").OrderByDescending(f => f.LastWriteTimeUtc).Skip(MostKept);
        var half = files.Where(f => DurableFile.WithoutTemporary(f.Name) != f.Name && f.LastWriteTimeUtc < DateTime.UtcNow - Abandoned);
        foreach (var file in old.Concat(half))
            file.Delete();
    }

    private byte[] CompileNow(string text, string[] options)
    {
        nint program;
        fixed (byte* source = Encoding.UTF8.GetBytes(text + '\0'), name = "elastic.cu\0"u8)
        {
            Check(
                ((delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)_functions["nvrtcCreateProgram"])(
                    &program, source, name, 0, null, null),
                "nvrtcCreateProgram");
        }
        var texts = options.Select(Marshal.StringToCoTaskMemUTF8).ToArray();
        try
        {
            int result;
            fixed (nint* pointers = texts)
            {
                result = ((delegate* unmanaged<nint, int, nint*, int>)_functions["nvrtcCompileProgram"])(
                    program, texts.Length, pointers);
            }
            if (result != 0)
                throw new ElasticException(
                    $"NVRTC {Version} does not compile the kernels with {options[0]} ({TextOf(result)}): " +
                    $"{Encoding.UTF8.GetString(Bytes(program, "nvrtcGetProgramLog")).TrimEnd('\0', '\n')}");
            return Bytes(program, "nvrtcGetCUBIN");
        }
        finally
        {
            Array.ForEach(texts, Marshal.FreeCoTaskMem);
            ((delegate* unmanaged<nint*, int>)_functions["nvrtcDestroyProgram"])(&program);
        }
    }

    // A result of a program, which one function sizes and another copies.
    private byte[] Bytes(nint program, string function)
    {
        nuint size;
        Check(((delegate* unmanaged<nint, nuint*, int>)_functions[function + "Size"])(program, &size), function + "Size");
        var bytes = new byte[(int)size];
        fixed (byte* into = bytes)
            Check(((delegate* unmanaged<nint, byte*, int>)_functions[function])(program, into), function);
        return bytes;
    }

    private void Check(int result, string call)
    {
        if (result != 0)
            throw new ElasticException($"NVRTC answers {call} with error {result} ({TextOf(result)})");
    }

    private string? TextOf(int result) =>
        Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<int, byte*>)_functions["nvrtcGetErrorString"])(result));
}
