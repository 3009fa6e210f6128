using Elastic.Actors.Serialization;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Tests.Serialization;

public sealed class WireMessageSpecs(WireSystem wire) : IClassFixture<WireSystem>
{
    private int _count;

    public static TheoryData<Type> Messages =>
        new(typeof(IWireMessage).Assembly.GetTypes().Where(t => typeof(IWireMessage).IsAssignableFrom(t) && t is { IsAbstract: false }));

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_comes_back_as_it_was(Type type)
    {
        foreach (var message in new[] { Make(type, bare: false)!, Make(type, bare: true)! })
        {
            var bytes = wire.Write(message);
            var back = wire.Read(bytes);
            Assert.Equal(type, back.GetType());
            Assert.Equal(DeepText.Of(message), DeepText.Of(back));
            Assert.Equal(bytes, wire.Write(back));
        }
    }

    [Fact]
    public void The_list_of_allowed_types_holds_only_Elastic_s_own_and_arrays_of_numbers_and_texts()
    {
        Type[] plain = [typeof(int[]), typeof(byte[]), typeof(string[])];
        Assert.All(new AllowedTypes().Types.Except(plain), t => Assert.Equal(typeof(IWireMessage).Assembly, (t.GetElementType() ?? t).Assembly));
    }

    // A value of each parameter that no other has; bare: null, empty or default where there is such a thing.
    private object? Make(Type type, bool bare)
    {
        _count++;
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return bare ? null : Make(underlying, bare);
        if (type.IsArray)
        {
            var array = Array.CreateInstance(type.GetElementType()!, bare ? 0 : 3);
            for (var i = 0; i < array.Length; i++)
                array.SetValue(Make(type.GetElementType()!, bare), i);
            return array;
        }

        if (type.IsEnum)
            return Enum.GetValues(type).GetValue(bare ? 0 : Enum.GetValues(type).Length - 1);
        if (type == typeof(string))
            return bare ? "" : $"text {_count} \u00e9\u4e16";
        if (type.IsPrimitive)
            return type == typeof(bool) ? !bare : type == typeof(double) ? _count + 0.125 : Convert.ChangeType(bare ? 0 : _count, type);
        if (type == typeof(NodeCommand))
            return Make(bare ? typeof(NodeCommand.Initialize) : typeof(NodeCommand.RunReplica), bare);
        var constructor = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        var nullable = new System.Reflection.NullabilityInfoContext();
        return constructor.Invoke([.. constructor.GetParameters().Select(p =>
            bare && nullable.Create(p).ReadState == System.Reflection.NullabilityState.Nullable ? null : Make(p.ParameterType, bare))]);
    }
}
