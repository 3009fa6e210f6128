using System.Text.Json.Serialization;

namespace Elastic.Messages.Pbm;

/// <summary>
/// What <c>pbm</c> and a seed say to each other: one JSON object per line of UTF-8.
/// <code>
/// client                 server
/// hello       -------->
///             &lt;--------  hello            both name their protocol; when they differ, the client says so and hangs up.
///                                         Without a certificate, the client's carries the seed's token
/// catalogue   -------->
///             &lt;--------  catalogue
/// call        -------->
///             &lt;--------  line, line, beat, line ...
///             &lt;--------  end              then the next request, on the same connection
/// </code>
/// Any message of the client ends a running call (<see cref="Cancel"/> has no other meaning), and so does hanging up. Add types and
/// optional fields freely; anything else needs another <see cref="Protocol"/>.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(Hello), "hello")]
[JsonDerivedType(typeof(AskCatalogue), "ask-catalogue")]
[JsonDerivedType(typeof(Catalogue), "catalogue")]
[JsonDerivedType(typeof(Call), "call")]
[JsonDerivedType(typeof(Cancel), "cancel")]
[JsonDerivedType(typeof(Line), "line")]
[JsonDerivedType(typeof(FilePiece), "file-piece")]
[JsonDerivedType(typeof(Beat), "beat")]
[JsonDerivedType(typeof(End), "end")]
public abstract record PbmMessage
{
    /// <summary>The version of the protocol that this code speaks.</summary>
    public const int Protocol = 1;

    /// <summary>Opens a connection, from either side.</summary>
    /// <param name="Version">Elastic's version, for people.</param>
    /// <param name="Token">The text of a <see cref="PbmToken"/>, from a client without a certificate.</param>
    public sealed record Hello(
        [property: JsonPropertyName("protocol")] int Speaks, string Version, string? Token = null) : PbmMessage
    {
        /// <summary>The greeting without the token: texts of records reach logs.</summary>
        public override string ToString() => $"hello of {Version}, protocol {Speaks}";
    }

    /// <summary>What can be called here?</summary>
    public sealed record AskCatalogue : PbmMessage;

    public sealed record Catalogue(PaletteHelp[] Palettes) : PbmMessage;

    /// <summary>Runs a command of a palette.</summary>
    /// <param name="Json">Lines are JSON objects instead of text for people.</param>
    /// <param name="Who">Who asks, e.g. "anna@gpu7".</param>
    /// <param name="Id">Drawn by the client, so that a call that is repeated after a lost connection is recognised.</param>
    public sealed record Call(
        string Palette, string Command, CallValue[] Values, bool Json, string? Who = null, string? Id = null) : PbmMessage;

    /// <summary>Ends the running call; ignored after the call's end.</summary>
    public sealed record Cancel : PbmMessage;

    /// <summary>A line of output.</summary>
    public sealed record Line(string Text) : PbmMessage;

    /// <summary>
    /// A piece of a file, for the folder of the client's machine that the call names (<see cref="ArgumentHelp.IsNewFolder"/>). Pieces come
    /// in order, and one file after the other.
    /// </summary>
    /// <param name="Name">Seen from that folder, with '/' between folders.</param>
    /// <param name="Bytes">At most <see cref="MostBytes"/>.</param>
    /// <param name="IsLast">The file is whole with it.</param>
    public sealed record FilePiece(string Name, byte[] Bytes, bool IsLast) : PbmMessage
    {
        /// <summary>Bytes of one piece: in base64 they stay well below the longest line.</summary>
        public const int MostBytes = 512 << 10;
    }

    /// <summary>The call still runs and has no output: sent so that silence means a lost connection.</summary>
    public sealed record Beat : PbmMessage;

    /// <summary>The call is over, or the connection is refused.</summary>
    /// <param name="ExitCode">What the client tells the shell.</param>
    /// <param name="Error">What went wrong, for people, in lines; empty when nothing did.</param>
    public sealed record End(int ExitCode, string Error) : PbmMessage;
}

/// <summary>A value of a call's argument.</summary>
/// <param name="Argument">The argument's long name.</param>
/// <param name="Value">As it was typed; empty for a flag.</param>
/// <param name="FileText">The text of the client's file that <paramref name="Value"/> names; null where it names none.</param>
public sealed record CallValue(string Argument, string Value, string? FileText = null);
