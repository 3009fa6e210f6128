namespace Elastic.Messages.Settings;

/// <summary>Makes options records from what people wrote, and gathers all problems instead of stopping at the first.</summary>
public static class SettingsBinding
{
    /// <summary>Makes the record; where a value is missing or wrong, with the default in its place.</summary>
    /// <param name="values">One value per key, the defaults included.</param>
    /// <param name="problems">Gets a sentence about each value that is missing or wrong.</param>
    public static T Bind<T>(IReadOnlyDictionary<string, SettingText> values, ICollection<string> problems) where T : SettingsGroup =>
        SettingsRecord.Make<T>(setting =>
        {
            if (!values.TryGetValue(setting.Key, out var value))
            {
                if (!setting.IsOptional)
                    problems.Add($"{setting.Key} is not set: give it a value (the default is {setting.ShownDefault})");
                return setting.IsOptional ? null : setting.Default;
            }

            if (setting.Kind.Parse(value.Items, value.IsList) is { } read)
                return read;
            problems.Add($"{value.Key} = {value.Text} ({value.Where}): expected {setting.Kind.Expectation}");
            return setting.Default;
        });
}
