using System.Diagnostics;
using Akka.Actor;

namespace Elastic.Actors.Tests;

/// <summary>Waits for a message among others. An inbox alone gives <see cref="Status.Failure"/> once its deadline has passed.</summary>
internal static class Inboxes
{
    /// <summary>The next message of that kind for which <paramref name="isIt"/>; passes over others.</summary>
    /// <exception cref="TimeoutException">None came within <paramref name="deadline"/>; says which others did.</exception>
    public static async Task<T> FindAsync<T>(this Inbox inbox, TimeSpan deadline, Func<T, bool>? isIt = null)
    {
        var (began, others) = (Stopwatch.GetTimestamp(), new List<object>());
        while (deadline - Stopwatch.GetElapsedTime(began) is var left && left > TimeSpan.Zero)
        {
            var message = await inbox.ReceiveAsync(left);
            if (message is T wanted && isIt?.Invoke(wanted) != false)
                return wanted;
            others.Add(message);
        }

        throw new TimeoutException($"no such {typeof(T).Name} came within {deadline.TotalSeconds} s, but {string.Join(", ", others)}");
    }
}
