namespace Elastic.ObjectStore;

/// <summary>A file of this machine cannot be read or written: no store's failure, and nothing that another attempt mends.</summary>
internal sealed class LocalFileException : IOException
{
    /// <param name="cause">Its message and code are this one's, too.</param>
    public LocalFileException(IOException cause)
        : base(cause.Message, cause) => HResult = cause.HResult;

    /// <summary>The one that an exception was made of, by a library for example; null for none.</summary>
    public static LocalFileException? In(Exception e)
    {
        for (var now = e; now is not null; now = now.InnerException)
        {
            if (now is LocalFileException found)
                return found;
        }
        return null;
    }
}
