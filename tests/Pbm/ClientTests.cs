using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>The client against a seed that behaves in every way a network lets it.</summary>
public sealed class ClientTests
{
    [Fact]
    public async Task Where_nobody_listens_the_exit_code_is_4_and_the_remedy_is_told()
    {
        var address = ScriptedSeed.Nobody.ToString();
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(address, "animal", "list"));
        Assert.StartsWith($"error: no seed answers at {address} (", pbm.Error, StringComparison.Ordinal);
        Assert.Contains("elastic seed", pbm.Error, StringComparison.Ordinal);
        Assert.Contains("ELASTIC_PBM", pbm.Error, StringComparison.Ordinal);
        Assert.Empty(pbm.Output);
    }

    [Theory]
    [InlineData(TlsFailure.Foreign, "x: it is of another cluster, whose certificates --certs names, or no seed's pbm port")]
    [InlineData(TlsFailure.NoTls, "x: name the pbm port that elastic seed prints")]
    [InlineData(TlsFailure.CountsNotHere, "x\n")]
    public async Task What_shows_no_certificate_of_this_cluster_is_told_from_where_nobody_listens(TlsFailure failure, string why)
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun
        {
            Transport = new() { AsClientAsync = (_, _, _) => throw new TlsException("x", failure, new IOException()), IsEncrypted = true },
        };
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        Assert.StartsWith($"error: {why}", pbm.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("no seed answers", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_person_s_key_that_others_can_read_is_told()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        try
        {
            var files = new CertificateFiles(Path.Combine(folder, "ann"));
            using (var authority = CertificateAuthority.Create(new CertificateFiles(folder), DateTimeOffset.UtcNow))
            using (var key = ECDsa.Create(ECCurve.NamedCurves.nistP256))
            {
                CertificateFiles.MakeFolder(files.Folder);
                CertificateFiles.WriteSecret(files.AdminKey, key.ExportPkcs8PrivateKeyPem());
                CertificateFiles.WritePublic(files.Authority, authority.CertificatePem);
                CertificateFiles.WritePublic(files.Admin, authority.Issue(
                    new PublicKey(key), new Identity("ann", Role.Admin), DateTimeOffset.UtcNow, CertificateAuthority.Validity));
            }

            async Task<string> ErrorAsync()
            {
                using var error = new StringWriter();
                Assert.Equal(ExitCodes.Unreachable, await PbmCommandLine.RunAsync(
                    [ScriptedSeed.Nobody.ToString(), "--certs", files.Folder, "run", "list"], null,
                    new PbmConsole(TextReader.Null, TextWriter.Null, error, false), new Interruption()));
                return error.ToString();
            }

            Assert.StartsWith("error: no seed answers", await ErrorAsync(), StringComparison.Ordinal);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(files.AdminKey, UnixFileMode.UserRead | UnixFileMode.OtherRead);
            Assert.StartsWith($"{files.AdminKey} is open to other users (mode 0404), who can speak in the name of admin ann: chmod 600 ",
                await ErrorAsync(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_seed_that_hangs_up_before_its_first_answer_may_be_another_port()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayAsync((_, _) => Task.CompletedTask);
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.StartsWith($"error: the connection to the seed at {seed.Address} was closed: see whether this is the pbm port that it "
            + "prints, whether its process runs, and whether it wants a certificate", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_help_explains_pbm_even_where_nobody_listens()
    {
        var address = ScriptedSeed.Nobody.ToString();
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.Done, await pbm.RunWithAsync(address, "--help"));
        Assert.Contains("pbm [HOST:PORT] [PALETTE COMMAND [-s VALUE]...] [--json]", pbm.Output, StringComparison.Ordinal);
        Assert.Contains($"no seed answers at {address}", pbm.Output, StringComparison.Ordinal);
        Assert.Empty(pbm.Error);
    }

    [Fact]
    public async Task The_help_of_a_command_needs_no_seed_and_says_whose_it_is()
    {
        var address = ScriptedSeed.Nobody.ToString();
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.Done, await pbm.RunWithAsync(address, "run", "start", "--help"));
        Assert.Contains("pbm run start -n first", pbm.Output, StringComparison.Ordinal);
        Assert.Contains($"the help of pbm {SeedConnection.Version} itself", pbm.Output, StringComparison.Ordinal);
        Assert.Contains($"no seed answers at {address}", pbm.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunWithAsync(address, "rnu", "start", "--help"));
        Assert.Contains("rnu is no palette here: did you mean run?", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_script_that_asked_for_json_gets_every_error_as_json()
    {
        var address = ScriptedSeed.Nobody.ToString();
        foreach (var (code, first) in new[] { (ExitCodes.Unreachable, address), (ExitCodes.WrongUsage, "a:b") })
        {
            using var pbm = new PbmRun();
            Assert.Equal(code, await pbm.RunAsync(first, "run", "list", "--json"));
            Assert.Contains($"\"exitCode\":{code}", pbm.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_wrong_address_in_the_environment_is_named_with_its_variable()
    {
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunWithAsync("seed1", "run", "list"));
        Assert.StartsWith("error: ELASTIC_PBM=seed1 is no address", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_protocol_is_an_error_that_names_both_versions()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayAsync(async (_, stream) =>
        {
            await stream.ReadAsync(TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol + 1, "9.9.9"), TestDeadline.Token);
        });
        Assert.Equal(ExitCodes.Failed, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.Contains($"this pbm ({SeedConnection.Version}) speaks version {PbmMessage.Protocol}", pbm.Error, StringComparison.Ordinal);
        Assert.Contains($"(9.9.9) version {PbmMessage.Protocol + 1}", pbm.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n")]
    [InlineData("{\"type\":\"hello\"}\n")]
    [InlineData("{\"type\":\"line\",\"text\":\"?\"}\n")]
    [InlineData("null\n")]
    [InlineData("{}\n")]
    public async Task What_is_no_seed_is_told_from_one(string greeting)
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayAsync(async (raw, stream) =>
        {
            await stream.ReadAsync(TestDeadline.Token);
            await raw.WriteAsync(System.Text.Encoding.UTF8.GetBytes(greeting), TestDeadline.Token);
        });
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.Contains("is no seed's pbm port", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_line_without_an_end_is_not_gathered_for_ever()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (raw, stream, _) =>
        {
            var flood = new byte[64 * 1024];
            Array.Fill(flood, (byte)'x');
            try
            {
                while (true)
                    await raw.WriteAsync(flood, TestDeadline.Token);
            }
            catch (IOException)
            {
                // The client has hung up, as it should.
            }
        });
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
    }

    [Fact]
    public async Task A_refusal_in_place_of_a_greeting_is_passed_on()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayAsync(async (_, stream) =>
        {
            await stream.ReadAsync(TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(1, "64 clients are connected already"), TestDeadline.Token);
        });
        Assert.Equal(ExitCodes.Failed, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.Contains("64 clients are connected already", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_are_shown_and_the_end_decides_the_exit_code()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (_, stream, call) =>
        {
            Assert.Equal(("animal", "feed", true), (call.Palette, call.Command, call.Json));
            Assert.Equal([new CallValue("name", "leo")], call.Values);
            await stream.WriteAsync(new PbmMessage.Line("one"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Beat(), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Line("two"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(3, "no lion\nno cage"), TestDeadline.Token);
        });
        Assert.Equal(3, await pbm.RunAsync(seed.Address.ToString(), "animal", "feed", "-n", "leo", "--json"));
        await playing;
        Assert.Equal(["one", "two", """{"error":"no lion\nno cage","exitCode":3}"""], pbm.Output.TrimEnd().Split(Environment.NewLine));
        Assert.Equal($"error: no lion{Environment.NewLine}error: no cage{Environment.NewLine}", pbm.Error);
    }

    [Fact]
    public async Task A_terminal_gets_no_escape_sequences_from_the_network()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (_, stream, _) =>
        {
            await stream.WriteAsync(new PbmMessage.Line("a\e[2Jb"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(1, "c\e[2Jd"), TestDeadline.Token);
        });
        await pbm.RunAsync(seed.Address.ToString(), "animal", "list");
        await playing;
        Assert.Contains("a\uFFFD[2Jb", pbm.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', pbm.Output + pbm.Error);
    }

    [Fact]
    public async Task A_connection_that_breaks_in_a_command_is_exit_code_4()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync((_, stream, _) => stream.WriteAsync(new PbmMessage.Line("one"), TestDeadline.Token));
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.Contains("was closed", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seed_that_says_nothing_at_all_is_not_waited_for()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun { Deadlines = PbmDeadlines.Default with { Silence = TimeSpan.FromSeconds(5) } };
        var playing = seed.PlayCallAsync(async (_, stream, _) => Assert.Null(await stream.ReadAsync(TestDeadline.Token)));
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.Contains("has said nothing for", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interruption_cancels_the_command_on_the_seed_and_is_exit_code_130()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (_, stream, _) =>
        {
            Assert.True(pbm.Interruption.TryCancel());
            Assert.False(pbm.Interruption.TryCancel());             // the second one is the operating system's
            Assert.IsType<PbmMessage.Cancel>(await stream.ReadAsync(TestDeadline.Token));
            await stream.WriteAsync(new PbmMessage.Line("too late"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(130, ""), TestDeadline.Token);
        });
        Assert.Equal(ExitCodes.Interrupted, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
        Assert.Empty(pbm.Output + pbm.Error);
        Assert.False(pbm.Interruption.TryCancel());
    }

    [Fact]
    public async Task A_seed_that_does_not_answer_the_cancel_is_hung_up_on()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun { Deadlines = PbmDeadlines.Default with { Cancel = TimeSpan.FromMilliseconds(50) } };
        var playing = seed.PlayCallAsync(async (_, stream, _) =>
        {
            pbm.Interruption.TryCancel();
            Assert.IsType<PbmMessage.Cancel>(await stream.ReadAsync(TestDeadline.Token));
            Assert.Null(await stream.ReadAsync(TestDeadline.Token));
        });
        Assert.Equal(ExitCodes.Interrupted, await pbm.RunAsync(seed.Address.ToString(), "animal", "list"));
        await playing;
    }

    [Fact]
    public async Task The_prompt_goes_on_after_errors_over_one_connection_until_it_is_told_to_exit()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun("animal lst\n\n\"open\nanimal list\nhelp animal feed\nexit\nanimal list\n", isInteractive: true);
        var playing = seed.PlayCallAsync(async (_, stream, _) =>
        {
            await stream.WriteAsync(new PbmMessage.Line("first"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
            Assert.Null(await stream.ReadAsync(TestDeadline.Token));        // no other call, and the end of the client
        });
        Assert.Equal(0, await pbm.RunAsync(seed.Address.ToString()));
        await playing;
        Assert.Equal(6, pbm.Output.Split($"{seed.Address}> ").Length - 1);
        Assert.Contains("lst is no command of animal here", pbm.Error, StringComparison.Ordinal);
        Assert.Contains("a quote is left open", pbm.Error, StringComparison.Ordinal);
        Assert.Contains("first", pbm.Output, StringComparison.Ordinal);
        Assert.Contains("what a lion wants", pbm.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_connects_again_when_the_seed_was_restarted()
    {
        using var seed = new ScriptedSeed();
        await using var session = new Session(
            seed.Address, new PbmConsole(TextReader.Null, TextWriter.Null, TextWriter.Null, false), PbmDeadlines.Default, Transport.Plain,
            () => null);
        for (var start = 0; start < 2; start++)
        {
            var playing = seed.PlayCallAsync((_, stream, _) => stream.WriteAsync(new PbmMessage.End(start, ""), TestDeadline.Token));
            Assert.Equal(start, await session.RunAsync(CommandLine.Parse(["animal", "list"]), TestDeadline.Token));
            await playing;
        }
    }

    [Fact]
    public async Task A_script_that_is_piped_in_sees_no_prompt_and_ends_with_the_code_of_its_last_command()
    {
        using var pbm = new PbmRun("animal list\n");
        using var seed = new ScriptedSeed();
        var playing = seed.PlayCallAsync(async (_, stream, _) =>
        {
            await stream.WriteAsync(new PbmMessage.Line("leo"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(1, ""), TestDeadline.Token);
        });
        Assert.Equal(1, await pbm.RunAsync(seed.Address.ToString()));
        await playing;
        Assert.Equal($"leo{Environment.NewLine}", pbm.Output);
    }

    [Fact]
    public void The_help_of_a_command_fits_a_hundred_columns()
    {
        var feed = Catalogues.Zoo[0].Commands[0];
        var lines = HelpText.Of(Catalogues.Zoo[0], feed with { Description = string.Join(' ', Enumerable.Repeat("word", 80)) }).ToList();
        Assert.All(lines, l => Assert.InRange(l.Length, 0, 100));
        Assert.Contains("  pbm animal feed -n NAME [-f FOOD]... [-q] [-p PLAN|FILE]...", lines);
    }
}
