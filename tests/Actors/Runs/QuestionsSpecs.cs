using Akka.Actor;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Tests.Runs;

public sealed class QuestionsSpecs : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly ActorSystem _system = ActorSystem.Create("questions");

    public void Dispose() => _system.Dispose();

    // As where a supervisor ends with the question before it.
    [Fact]
    public async Task A_question_that_was_lost_is_asked_again_though_nobody_waits_for_long()
    {
        var asked = _system.ActorOf(Props.Create(() => new Loser(1)));
        var questions = new Questions(() => asked, TimeSpan.FromMinutes(1));
        Assert.Equal(2, await questions.AskAsync<int>([Part], TimeSpan.FromSeconds(15), default));
    }

    // As where a supervisor moves to another seed, which knows of no part of the question.
    [Fact]
    public async Task A_question_that_was_lost_is_asked_again_with_all_its_parts()
    {
        Assert.Equal(4, await Of(lost: 2).AskAsync<int>([Part, Part], Deadline, default));
    }

    // As on a busy machine: asking again must not drop the answer that is on its way.
    [Fact]
    public async Task An_answer_that_takes_longer_than_the_time_between_two_questions_counts()
    {
        var asked = _system.ActorOf(Props.Create(() => new Slow(TimeSpan.FromSeconds(1))));
        Assert.Equal(1, await new Questions(() => asked, TimeSpan.FromSeconds(0.2)).AskAsync<int>([Part], Deadline, default));
    }

    [Fact]
    public async Task Where_nobody_answers_that_is_said_in_the_end()
    {
        var e = await Assert.ThrowsAsync<UnavailableException>(
            () => Of(lost: 1000).AskAsync<int>([Part], TimeSpan.FromSeconds(0.5), default));
        Assert.Contains("the supervisor did not answer within 0.5 s", e.Message, StringComparison.Ordinal);
        foreach (var trouble in new[] { null, "the disk is full" })
            Assert.Equal(
                $"this process is just joining the cluster again: {trouble ?? "try again in a moment"}",
                (await Assert.ThrowsAsync<UnavailableException>(() => new Questions(() => null, TimeSpan.FromSeconds(0.2), () => trouble)
                    .AskAsync<int>([Part], Deadline, default))).Message);
    }

    private static IWireMessage Part => new RunsQuery.Nodes();

    private Questions Of(int lost)
    {
        var asked = _system.ActorOf(Props.Create(() => new Loser(lost)));
        return new Questions(() => asked, TimeSpan.FromSeconds(0.2));
    }

    // Answers to each message with its number, later.
    private sealed class Slow : ReceiveActor
    {
        private int _received;

        public Slow(TimeSpan by) => ReceiveAny(message => _ = LaterAsync(++_received, by).PipeTo(Sender));

        private static async Task<int> LaterAsync(int number, TimeSpan by)
        {
            await Task.Delay(by);
            return number;
        }
    }

    // Loses the first messages, and answers to each later one with its number.
    private sealed class Loser : ReceiveActor
    {
        private int _received;

        public Loser(int lost) => ReceiveAny(_ =>
        {
            if (++_received > lost)
                Sender.Tell(_received);
        });
    }
}
