using System.Reflection;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>Numbers that libtorch reads live until it has read them: nothing but <see cref="NumberOperators"/> hands it any.</summary>
public class NumberOperatorTests
{
    private static readonly Assembly Binding = typeof(Scalar).Assembly;

    private readonly Dictionary<MethodBase, bool> _makes = [];

    public NumberOperatorTests() => NativeTorch.Load();

    [Fact]
    public void They_are_the_operators_of_their_names()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1f, 2, 3], float32);
        Assert.Equal([0.5f, 1, 1.5f], x.Times(0.5).data<float>().ToArray());
        Assert.Equal([3f, 4, 5], x.Plus(2).data<float>().ToArray());
        Assert.Equal([2f, 4, 6], x.Plus(x).data<float>().ToArray());
        Assert.Equal([0.25f, 0.5f, 0.75f], x.Over(4).data<float>().ToArray());
        Assert.Equal([1f, 8, 27], x.Power(3).data<float>().ToArray());
        Assert.Equal([1f, -1, 3], x.Filled(tensor([false, true, false]), -1).data<float>().ToArray());
        Assert.Equal([1f, 2, 3], x.data<float>().ToArray());
        x.TimesInPlace(2);
        Assert.Equal([2f, 4, 6], x.data<float>().ToArray());
        x.AddInPlace(tensor([1f, 0, 1], float32));
        Assert.Equal([3f, 4, 7], x.data<float>().ToArray());
        Assert.Equal([0L, 1, 2], NumberOperators.CountTo(3, int64, CPU).data<long>().ToArray());
    }

    [Fact]
    public void No_other_code_makes_one_or_calls_what_makes_one()
    {
        List<string> found = [.. new[] { typeof(NumberOperators).Assembly, typeof(NumberOperatorTests).Assembly }.SelectMany(Violations)];
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Fact]
    public void What_makes_one_is_found_within_the_binding_too()
    {
        MethodInfo Operator(string name, params Type[] types) => typeof(Tensor).GetMethod(name, types)!;
        Assert.True(Makes(Operator("op_Multiply", typeof(Tensor), typeof(float))));
        Assert.True(Makes(Operator("op_Addition", typeof(int), typeof(Tensor))));
        Assert.True(Makes(typeof(Scalar).GetMethod("op_Implicit", [typeof(double)])!));
        Assert.False(Makes(Operator("op_Multiply", typeof(Tensor), typeof(Tensor))));
        Assert.True(Makes(Operator("op_Addition", typeof(Tensor), typeof(Tensor))), "it counts the second once, by a number");
        Assert.False(Makes(Operator("sub_", typeof(Tensor))));
    }

    private IEnumerable<string> Violations(Assembly assembly) =>
        from method in CompiledCalls.MethodsOf(assembly)
        where method.DeclaringType != typeof(NumberOperators)
        from called in CompiledCalls.Of(method)
        where Makes(called)
        select $"{method.DeclaringType}.{method.Name} calls {called.DeclaringType}.{called.Name}({string.Join(
            ", ", called.GetParameters().Select(p => p.ParameterType.Name))}), whose number may be freed while libtorch reads it: "
            + $"use {nameof(NumberOperators)}";

    // A method of TorchSharp's that makes a number, or comes to one that does.
    private bool Makes(MethodBase method)
    {
        if (method.Module.Assembly != Binding)
            return false;
        if (_makes.TryGetValue(method, out var known))
            return known;
        HashSet<MethodBase> met = [method];
        var next = new Stack<MethodBase>(met);
        while (next.TryPop(out var one))
        {
            if (one.DeclaringType == typeof(Scalar) && one is ConstructorInfo || _makes.GetValueOrDefault(one))
                return _makes[method] = true;
            foreach (var called in CompiledCalls.Of(one))
                if (called.Module.Assembly == Binding && _makes.GetValueOrDefault(called, true) && met.Add(called))
                    next.Push(called);
        }
        foreach (var one in met)
            _makes[one] = false;
        return false;
    }
}
