namespace Elastic.Messages.Runs;

/// <summary>
/// What a seed asks of the supervisors about a job of its own that is cut into pieces. Each request says all that there is to know of the
/// job, so that a supervisor that has just taken over goes on from there; asking twice is safe.
/// </summary>
/// <param name="Job">Names the job, and what nodes open for it.</param>
public abstract record JobRequest(RunId Job) : ISaidBySeed;
