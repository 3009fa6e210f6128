using Elastic.Foundation.Certificates;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Runs;

/// <summary>What the singleton knows of the process that it runs in.</summary>
/// <param name="List">The list of all runs, in the database.</param>
/// <param name="Endpoint">The endpoint of that process's data plane.</param>
/// <param name="Version">The version of Elastic.</param>
/// <param name="Credentials">Null where the process runs without certificates.</param>
internal sealed record RunsContext(
    SupervisorContext Supervisors, RunList List, string Endpoint, string Version, LivenessConnections Liveness,
    Credentials? Credentials = null);
