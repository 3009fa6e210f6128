using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Host.Generation;

/// <summary>A model that writes text: the parameters of a run's newest checkpoint, and the run's tokenizer.</summary>
internal sealed class TextModel : IDisposable
{
    private readonly LoadedCheckpoint _checkpoint;

    private TextModel(LoadedCheckpoint checkpoint, string name)
    {
        (_checkpoint, Name) = (checkpoint, name);
        Architecture = Architectures.Open(checkpoint.Settings.Model);
        Tokenizer = Tokenizer.Open(checkpoint.Manifest.Tokenizer);
    }

    /// <summary>The run's.</summary>
    public string Name { get; }

    /// <summary>The round that the checkpoint was made after.</summary>
    public int Round => _checkpoint.Manifest.Version;

    /// <summary>The version's fingerprint.</summary>
    public string Fingerprint => _checkpoint.Manifest.Fingerprint;

    public Tokenizer Tokenizer { get; }

    public IArchitecture Architecture { get; }

    /// <summary>Loads the newest checkpoint that is whole; says to <paramref name="notice"/> which ones were passed over.</summary>
    public static TextModel Load(DataDirectory data, RunName run, Action<string> notice)
    {
        var checkpoint = CheckpointReader.LoadNewest(data.ExistingRun(run).Root);
        foreach (var passed in checkpoint.Passed)
            notice($"passed over {passed}");
        return new TextModel(checkpoint, run.Value);
    }

    /// <summary>A device with the parameters, to be used by the calling thread. Devices on the CPU share one copy.</summary>
    public OpenedDevice Open(DeviceId id, int threads)
    {
        var backend = DeviceBackends.Of(id);
        var device = backend.Open(id, Architecture, 0, threads);
        ReplicaVectors? copy = null;
        try
        {
            var vectors = _checkpoint.Vectors;
            if (backend.Kind != "cpu")
            {
                copy = new ReplicaVectors(vectors.Layout, length => backend.Allocate(id, length));
                const int Piece = 1 << 24;
                for (var first = 0L; first < vectors.Layout.Length; first += Piece)
                {
                    copy.CopyFrom(VectorSet.Parameters, first, vectors.Floats(
                        VectorSet.Parameters, first, (int)Math.Min(Piece, vectors.Layout.Length - first)));
                }
            }
            device.Attach(copy ?? vectors);
            return new OpenedDevice(device, copy);
        }
        catch
        {
            device.Dispose();
            copy?.Dispose();
            throw;
        }
    }

    /// <summary>Tokens of a text; those of an empty one are the end of text alone, after which a document begins.</summary>
    public List<int> Encode(string text)
    {
        List<int> tokens = [];
        Tokenizer.Encode(text, tokens);
        if (tokens.Count == 0)
            tokens.Add(Tokenizer.EndOfText);
        return tokens;
    }

    public void Dispose() => _checkpoint.Dispose();
}

/// <summary>A device that writes, and the copy of the parameters that it has for itself.</summary>
internal sealed record OpenedDevice(TrainingDevice Device, ReplicaVectors? Copy) : IDisposable
{
    public void Dispose()
    {
        Device.Dispose();
        Copy?.Dispose();
    }
}
