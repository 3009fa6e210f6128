using System.Globalization;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>Reads what stands in a request's address, within bounds.</summary>
internal static class Query
{
    /// <summary>A whole number.</summary>
    /// <exception cref="WebProblem">It is none, or out of its bounds.</exception>
    public static long Number(HttpContext context, string name, long usual, long least, long most) =>
        Number(context, name, usual, least, most, "");

    /// <summary>A whole number; null for <c>all</c>.</summary>
    /// <inheritdoc cref="Number(HttpContext, string, long, long, long)"/>
    public static int? NumberOrAll(HttpContext context, string name, int usual, int least, int most) =>
        Text(context, name) == "all" ? null : (int)Number(context, name, usual, least, most, ", or all");

    private static long Number(HttpContext context, string name, long usual, long least, long most, string otherwise)
    {
        var text = Text(context, name);
        return text is null ? usual
            : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                && number >= least && number <= most
                ? number
                : throw WebProblem.Invalid($"{name}={OneLine.Of(text, 40)}: use a number from {least} to {most}{otherwise}");
    }

    /// <summary>How many items an answer has at most.</summary>
    /// <inheritdoc cref="Number(HttpContext, string, long, long, long)"/>
    public static int Limit(HttpContext context, int usual, int most) => (int)Number(context, "limit", usual, 1, most);

    /// <summary>A text; null where it is not given.</summary>
    /// <exception cref="WebProblem">It is given more than once.</exception>
    public static string? Text(HttpContext context, string name) => context.Request.Query[name] switch
    {
        [] => null,
        [var one] => one,
        _ => throw WebProblem.Invalid($"{name} is given more than once: give it once"),
    };

    /// <summary>A part of the path.</summary>
    public static string Path(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    /// <summary>The name of a run.</summary>
    /// <param name="where">Where it stands, for a message.</param>
    /// <exception cref="WebProblem">No run can have it.</exception>
    public static RunName Run(string text, string where)
    {
        try
        {
            return CommonOptions.RunOf(text, where);
        }
        catch (SettingsException)
        {
            throw WebProblem.NotFound($"there is no run {OneLine.Of(text, 64)} ({where}): GET /api/v1/runs lists all");
        }
    }
}
