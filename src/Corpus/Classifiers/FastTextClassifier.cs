using System.Text;
using Elastic.Kernels;

namespace Elastic.Corpus.Classifiers;

/// <summary>
/// Says how likely a label is of a text, by a model of fastText (Joulin et al. 2017, section 2): the mean of the vectors of the text's
/// words and n-grams, a product with the vectors of the labels, and a softmax. Sums are in double precision, one term after the other in
/// the order of the text and of the vectors, and exponentials are Elastic's: all machines have the same bits. They agree with those of
/// fastText to 4e-5, for it sums in single precision and adds 1e-5 to each factor; with a sigmoid for each label to 0.01, for it reads
/// these from a table.
/// </summary>
internal sealed class FastTextClassifier
{
    private readonly FastTextFile _file;
    private readonly FastTextFeatures _features;

    // By label its way from the root: inner nodes, and whether it goes to the second child of each.
    private readonly List<(int Node, bool Second)[]> _paths;

    public FastTextClassifier(FastTextFile file)
    {
        (_file, _features) = (file, new FastTextFeatures(file));
        Labels = [.. file.Labels.Select(l => Encoding.UTF8.GetString(l.Text))];
        _paths = file.Loss == FastTextLoss.HierarchicalSoftmax ? Paths([.. file.Labels.Select(l => l.Count)]) : [];
    }

    /// <summary>The labels, e.g. "__label__good".</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>The probability of a label, 0 to 1; 0 where the model knows nothing of the text.</summary>
    /// <param name="label">The label's place in <see cref="Labels"/>.</param>
    public double Probability(string text, int label)
    {
        var vectors = _features.Of(text);
        if (vectors.Count == 0)
            return 0;
        var mean = new double[_file.Dimensions];
        foreach (var vector in vectors)
        {
            var row = Row(_file.Inputs, vector);
            for (var i = 0; i < mean.Length; i++)
                mean[i] += row[i];
        }
        for (var i = 0; i < mean.Length; i++)
            mean[i] /= vectors.Count;
        return _file.Loss switch
        {
            FastTextLoss.Softmax => Softmax(mean, label),
            FastTextLoss.HierarchicalSoftmax => _paths[label].Aggregate(1.0, (probability, step) =>
                probability * Sigmoid(Product(mean, step.Node) * (step.Second ? 1 : -1))),
            _ => Sigmoid(Product(mean, label)),
        };
    }

    private double Softmax(double[] mean, int label)
    {
        var products = new double[Labels.Count];
        for (var i = 0; i < products.Length; i++)
            products[i] = Product(mean, i);
        var (largest, sum) = (products.Max(), 0.0);
        foreach (var product in products)
            sum += Elementary.Exp(product - largest);
        return Elementary.Exp(products[label] - largest) / sum;
    }

    private static double Sigmoid(double x) => 1 / (1 + Elementary.Exp(-x));

    private double Product(double[] mean, int output)
    {
        var row = Row(_file.Outputs, output);
        var sum = 0.0;
        for (var i = 0; i < mean.Length; i++)
            sum += mean[i] * row[i];
        return sum;
    }

    private ReadOnlySpan<float> Row(float[] matrix, int row) =>
        matrix.AsSpan(checked((int)((long)row * _file.Dimensions)), _file.Dimensions);

    // A Huffman tree of labels whose counts fall: the two smallest of what is left become a node, a label before a node of the same count
    // only where its count is smaller. Node n of the tree has the vector n - labels.
    private static List<(int Node, bool Second)[]> Paths(long[] counts)
    {
        var labels = counts.Length;
        var (sums, parent, isSecond) = (new long[2 * labels - 1], new int[2 * labels - 1], new bool[2 * labels - 1]);
        counts.CopyTo(sums, 0);
        var (leaf, node) = (labels - 1, labels);
        for (var made = labels; made < sums.Length; made++)
        {
            for (var child = 0; child < 2; child++)
            {
                var smallest = leaf >= 0 && (node >= made || sums[leaf] < sums[node]) ? leaf-- : node++;
                (parent[smallest], isSecond[smallest]) = (made, child == 1);
                sums[made] += sums[smallest];
            }
        }
        return [.. Enumerable.Range(0, labels).Select(label => Up(label).Reverse().ToArray())];

        IEnumerable<(int, bool)> Up(int label)
        {
            for (var at = label; at != sums.Length - 1; at = parent[at])
                yield return (parent[at] - labels, isSecond[at]);
        }
    }
}
