namespace Elastic.Messages.Settings;

/// <summary>
/// A record whose properties are settings (<see cref="SettingAttribute"/>) or further groups. To contribute keys, e.g. those of an
/// optimizer, write such a record and give it a property in the group that it belongs to: every key in it is then known everywhere.
/// </summary>
public abstract record SettingsGroup
{
    /// <summary>What is wrong with these settings, one sentence each with its remedy; empty when nothing is.</summary>
    public IEnumerable<string> Problems() => SettingsRecord.Of(GetType()).ProblemsOf(this).Concat(ProblemsTogether());

    /// <summary>What is wrong with settings of this record that are right one by one.</summary>
    protected virtual IEnumerable<string> ProblemsTogether() => [];
}
