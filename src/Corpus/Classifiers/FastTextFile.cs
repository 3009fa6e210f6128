using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Classifiers;

/// <summary>How a model was trained to tell labels apart, as its file numbers it.</summary>
internal enum FastTextLoss
{
    /// <summary>A product of sigmoids along a path of a Huffman tree of the labels.</summary>
    HierarchicalSoftmax = 1,

    /// <summary>A sigmoid for each label, trained against drawn ones.</summary>
    NegativeSampling = 2,

    /// <summary>One softmax over all labels.</summary>
    Softmax = 3,

    /// <summary>A sigmoid for each label.</summary>
    OneAgainstAll = 4,
}

/// <summary>A word or a label of a model.</summary>
/// <param name="Text">Its UTF-8 bytes.</param>
/// <param name="Count">How often it came in training.</param>
internal readonly record struct FastTextEntry(byte[] Text, long Count);

/// <summary>
/// A .bin file of fastText with a classifier, as its program writes it: numbers of the least significant byte first; the arguments of
/// training, the words and then the labels, the vectors of words and n-grams, and those of the labels (Joulin et al. 2017). Files from
/// elsewhere: each number is checked before anything is allocated by it.
/// </summary>
internal sealed class FastTextFile
{
    private const int Magic = 793712314, OldVersion = 11, Version = 12;
    private const int Supervised = 3;
    private const int MostDimensions = 1 << 14;
    private const int MostEntryBytes = 1 << 16;
    private const int BytesAtOnce = 1 << 20;

    private readonly string _path;
    private readonly long _length;
    private readonly BinaryReader _reader;

    private FastTextFile(string path, long length, BinaryReader reader) => (_path, _length, _reader) = (path, length, reader);

    /// <summary>Digest of all bytes of the file.</summary>
    public Digest Digest { get; private set; }

    /// <summary>Numbers of a vector.</summary>
    public int Dimensions { get; private set; }

    /// <summary>Words of an n-gram of words; 1 for none.</summary>
    public int WordNGrams { get; private set; }

    /// <summary>Vectors that n-grams share by their hash.</summary>
    public int Buckets { get; private set; }

    /// <summary>Characters of the shortest and of the longest n-gram of characters; 0 for none.</summary>
    public (int Least, int Most) Characters { get; private set; }

    /// <summary>See <see cref="FastTextLoss"/>.</summary>
    public FastTextLoss Loss { get; private set; }

    /// <summary>In the order of their vectors.</summary>
    public IReadOnlyList<FastTextEntry> Words { get; private set; } = [];

    /// <summary>In the order of their vectors: the most frequent one first.</summary>
    public IReadOnlyList<FastTextEntry> Labels { get; private set; } = [];

    /// <summary>Vectors of words, then of buckets, one behind the other.</summary>
    public float[] Inputs { get; private set; } = [];

    /// <summary>Vectors of labels, or of the inner nodes of their tree.</summary>
    public float[] Outputs { get; private set; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="ElasticException">It cannot be read, or is none, is quantized or is damaged: a sentence says which.</exception>
    public static FastTextFile Read(string path)
    {
        // What has no bytes is never opened: a pipe would wait for a writer for ever.
        if (new FileInfo(path) is { Exists: true, Length: 0 })
            throw NoModel(path);
        try
        {
            using var stream = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.Read, BytesAtOnce, FileOptions.SequentialScan);
            using var sha256 = SHA256.Create();
            using var hashed = new CryptoStream(stream, sha256, CryptoStreamMode.Read);
            using var reader = new BinaryReader(hashed);
            var file = new FastTextFile(path, stream.Length, reader);
            file.Read();
            hashed.CopyTo(Stream.Null);
            file.Digest = new Digest(Convert.ToHexStringLower(sha256.Hash!));
            return file;
        }
        catch (EndOfStreamException e)
        {
            throw new ElasticException($"{path} is a model of fastText that was cut short: copy it again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"the model {path} cannot be read ({e.Message.TrimEnd('.')}): name a .bin file of fastText", e);
        }
    }

    private static ElasticException NoModel(string path) =>
        new($"{path} is no model of fastText: name a .bin file that fasttext supervised has written");

    private void Read()
    {
        if (_length < sizeof(int) || _reader.ReadInt32() != Magic)
            throw NoModel(_path);
        var version = _reader.ReadInt32();
        if (version is not (OldVersion or Version))
            throw new ElasticException($"{_path} has version {version} of fastText's format, and {OldVersion} and {Version} are read here");
        ReadArguments(version);
        ReadEntries();
        if (_reader.ReadByte() != 0)
            throw Quantized();
        Inputs = Matrix("words and n-grams", (long)Words.Count + Buckets);
        if (_reader.ReadByte() != 0)
            throw Quantized();
        Outputs = Matrix("labels", Labels.Count);
    }

    private void ReadArguments(int version)
    {
        Dimensions = Number("dimensions", 1, MostDimensions);
        Skip(4);                                            // window, epochs, least count, negatives
        WordNGrams = Number("words of an n-gram", 1, 100);
        Loss = (FastTextLoss)Number("loss", (int)FastTextLoss.HierarchicalSoftmax, (int)FastTextLoss.OneAgainstAll);
        if (_reader.ReadInt32() != Supervised)
            throw new ElasticException(
                $"{_path} has vectors of words and no labels: name a classifier, which fasttext supervised has written");
        Buckets = Number("buckets", 0, int.MaxValue);
        Characters = (Number("characters of the shortest n-gram", 0, 1000), Number("characters of the longest n-gram", 0, 1000));
        Skip(1);                                            // how often the learning rate was changed
        _reader.ReadDouble();                               // which frequent words were left out
        // Version 11 wrote what was asked for, and used no n-grams of characters.
        if (version == OldVersion)
            Characters = (Characters.Least, 0);
    }

    private void ReadEntries()
    {
        var size = Number("entries", 0, int.MaxValue);
        var words = Number("words", 0, size);
        var labels = Number("labels", 1, size);
        _reader.ReadInt64();                                // tokens of training
        if (words + labels != size)
            throw Damaged($"it says that {words} words and {labels} labels are {size}");
        // A file that was made smaller leaves vectors out; one that was not says -1.
        if (_reader.ReadInt64() > 0)
            throw Quantized();
        (Words, Labels) = (Entries(words, isLabel: false), Entries(labels, isLabel: true));
    }

    private List<FastTextEntry> Entries(int count, bool isLabel)
    {
        var (entries, text) = (new List<FastTextEntry>(), new List<byte>());
        for (var i = 0; i < count; i++)
        {
            text.Clear();
            while (_reader.ReadByte() is var b and not 0)
            {
                text.Add(b);
                if (text.Count > MostEntryBytes)
                    throw Damaged($"a word of it has more than {MostEntryBytes} bytes");
            }
            entries.Add(new FastTextEntry([.. text], _reader.ReadInt64()));
            if (_reader.ReadByte() is var kind && kind != (isLabel ? 1 : 0))
                throw Damaged($"{Encoding.UTF8.GetString([.. text])} is of kind {kind} where {(isLabel ? "labels" : "words")} stand");
        }
        return entries;
    }

    private float[] Matrix(string what, long wanted)
    {
        var (rows, columns) = (_reader.ReadInt64(), _reader.ReadInt64());
        if (columns != Dimensions || rows != wanted)
            throw Damaged($"the vectors of its {what} are {rows} of {columns} numbers, and {wanted} of {Dimensions} are wanted");
        if (rows * columns * sizeof(float) > _length)
            throw new EndOfStreamException();
        if (rows * columns > Array.MaxLength)
            throw new ElasticException($"the vectors of {_path} are {rows * columns} numbers, and {Array.MaxLength} are taken at most");
        var matrix = new float[rows * columns];
        _reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(matrix.AsSpan()));
        if (matrix.AsSpan().ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
            throw Damaged($"a vector of its {what} is not finite");
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("the vectors are read with the least significant byte first");
        return matrix;
    }

    private void Skip(int numbers)
    {
        for (var i = 0; i < numbers; i++)
            _reader.ReadInt32();
    }

    private int Number(string what, int least, int most) => _reader.ReadInt32() is var n && n >= least && n <= most ? n
        : throw Damaged($"its {what} are {n}, and {least} to {most} can be");

    private ElasticException Damaged(string why) => new($"{_path} is damaged ({why}): copy it again");

    private ElasticException Quantized() => new(
        $"{_path} is a quantized model (.ftz), whose vectors are not kept whole: name the .bin file that it was made from");
}
