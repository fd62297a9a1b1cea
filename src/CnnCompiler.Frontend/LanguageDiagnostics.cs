using System.Globalization;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Frontend;

/// <summary>What a user can get wrong in a <c>.cnn</c> file: CNN0200 to CNN0299, one method a code. Shapes and types are CNN0100 to CNN0199.</summary>
public static class LanguageDiagnostics
{
    /// <summary>The code of <see cref="UnexpectedCharacter"/>.</summary>
    public const string UnexpectedCharacterCode = "CNN0201";

    /// <summary>CNN0200: the file is too long to be a network.</summary>
    /// <param name="file">The file.</param>
    /// <param name="length">Its length.</param>
    /// <param name="unit">What that counts: characters, or bytes of a file that is not even decoded.</param>
    public static Diagnostic FileTooLong(string file, long length, string unit = "characters") =>
        Error(200, SourceSpan.WholeFile(file), $"the file has {N(length)} {unit}; at most {N(LanguageLimits.Characters)} characters are read", "keep weights in the .npz file");

    /// <summary>CNN0201: a character that the language does not have.</summary>
    public static Diagnostic UnexpectedCharacter(SourceSpan span, char character) =>
        Error(201, span, $"the character {Printable(character)} has no meaning here", "remove it");

    /// <summary>CNN0202: a quoted text without its end.</summary>
    public static Diagnostic UnterminatedText(SourceSpan span) => Error(202, span, "the quoted text does not end on its line", "close it with \"");

    /// <summary>CNN0203: a comment without its end.</summary>
    public static Diagnostic UnterminatedComment(SourceSpan span) => Error(203, span, "the comment does not end", "close it with */");

    /// <summary>CNN0204: too many brackets open at once.</summary>
    public static Diagnostic NestedTooDeeply(SourceSpan span) =>
        Error(204, span, $"more than {N(LanguageLimits.Nesting)} brackets are open here", "close brackets before opening more");

    /// <summary>CNN0205: something else is wanted here.</summary>
    public static Diagnostic Expected(SourceSpan span, string expected, string found) => Error(205, span, $"expected {expected}, found {found}", "correct the text");

    /// <summary>CNN0206: something is missing at the end of what is written.</summary>
    public static Diagnostic Missing(SourceSpan span, string expected, string after) => Error(206, span, $"expected {expected} after {after}", "complete the text");

    /// <summary>CNN0207: more diagnostics than are shown. Reading stops where syntax alone has more.</summary>
    public static Diagnostic TooMany(SourceSpan span) =>
        new("CNN0207", DiagnosticSeverity.Note, span, $"there are more than {N(LanguageLimits.Diagnostics)} diagnostics; the others are not shown", "correct those above first");

    /// <summary>CNN0210: two values of one name.</summary>
    public static Diagnostic DuplicateName(SourceSpan span, string name, SourceSpan first) =>
        Error(210, span, $"'{name}' is already the name of a value (line {N(first.Line)})", "choose another name: each value is defined once");

    /// <summary>CNN0211: a value that nothing defines.</summary>
    public static Diagnostic UnknownValue(SourceSpan span, string name, string? near, bool isInBlock = false) =>
        Error(211, span, $"no input or layer is called '{name}'{(isInBlock ? " in this block" : string.Empty)}", Suggest(near, isInBlock ? "define it above, or make it a parameter of the block" : "define it above"));

    /// <summary>CNN0212: a value that is read before it is there.</summary>
    public static Diagnostic DefinedLater(SourceSpan span, string name, SourceSpan definition) =>
        Error(212, span, $"'{name}' is read here, but defined only in line {N(definition.Line)}", "put the definition above: layers are written in the order in which they run");

    /// <summary>CNN0213: a layer that does not exist.</summary>
    public static Diagnostic UnknownLayer(SourceSpan span, string keyword, string? near) =>
        Error(213, span, $"there is no layer '{keyword}'", Suggest(near, "the layers are listed in docs/language.md"));

    /// <summary>CNN0214: an attribute that the layer does not have.</summary>
    public static Diagnostic UnknownAttribute(SourceSpan span, string keyword, string attribute, string? near, IEnumerable<string> known) =>
        Error(214, span, $"{keyword} has no attribute '{attribute}'", Suggest(near, $"its attributes are {string.Join(", ", known)}"));

    /// <summary>CNN0215: an attribute is given twice.</summary>
    public static Diagnostic DuplicateAttribute(SourceSpan span, string attribute) => Error(215, span, $"'{attribute}' is given twice", "remove one of them");

    /// <summary>CNN0216: an attribute that has no default is not given.</summary>
    public static Diagnostic MissingAttribute(SourceSpan span, string keyword, string attribute, string example) =>
        Error(216, span, $"{keyword} needs '{attribute}'", $"write for example {attribute}={example}");

    /// <summary>CNN0217: an attribute's value is of another kind.</summary>
    public static Diagnostic WrongValue(SourceSpan span, string attribute, string expected, string found) =>
        Error(217, span, $"'{attribute}' has to be {expected}; this is {found}", $"correct {attribute}");

    /// <summary>CNN0218: a number that is too small or too large.</summary>
    public static Diagnostic NumberOutOfRange(SourceSpan span, string what, string number, long low, long high) =>
        Error(218, span, $"{what} is {Shorten(number)}; it has to be an integer from {N(low)} to {N(high)}", "correct the number");

    /// <summary>CNN0219: an attribute's word is not one of those it takes.</summary>
    public static Diagnostic UnknownWord(SourceSpan span, string attribute, string word, string? near, IEnumerable<string> known) =>
        Error(219, span, $"'{attribute}' can't be '{Shorten(word)}'; it can be {string.Join(", ", known)}", Suggest(near, $"correct {attribute}"));

    /// <summary>CNN0220: more or fewer operands than the layer takes.</summary>
    public static Diagnostic WrongNumberOfOperands(SourceSpan span, string keyword, int found, string expected) =>
        Error(220, span, $"{keyword} reads {expected}; {(found == 0 ? "none is" : found == 1 ? "1 is" : $"{N(found)} are")} given", "correct the values in the parentheses");

    /// <summary>CNN0221: an element type that does not exist.</summary>
    public static Diagnostic UnknownElementType(SourceSpan span, string name, string? near) =>
        Error(221, span, $"there is no element type '{name}'", Suggest(near, "values between layers are i8"));

    /// <summary>CNN0222: a shape that no value may have.</summary>
    public static Diagnostic ShapeTooLarge(SourceSpan span, string what, string shape, int maximumRank, long maximumElements) =>
        Error(222, span, $"{what} is [{shape}]; at most {N(maximumRank)} dimensions and {N(maximumElements)} elements are possible", "use a smaller shape");

    /// <summary>CNN0223: a scale that is no scale.</summary>
    public static Diagnostic WrongScale(SourceSpan span, string scale) =>
        Error(223, span, $"the scale is {Shorten(scale)}; it has to be above 0 and a finite float32 number", "correct the scale");

    /// <summary>CNN0224: a network without an input or an output, or a block without an output.</summary>
    public static Diagnostic Nothing(SourceSpan span, string holder, string what, string example) =>
        Error(224, span, $"{holder} has no {what}", $"write for example {example}");

    /// <summary>CNN0225: a value is an output twice.</summary>
    public static Diagnostic DuplicateOutput(SourceSpan span, string name) => Error(225, span, $"'{name}' is an output already", "remove one of them");

    /// <summary>CNN0226: a value that nothing reads.</summary>
    public static Diagnostic UnusedValue(SourceSpan span, string name) =>
        new("CNN0226", DiagnosticSeverity.Warning, span, $"nothing reads '{name}', and it is no output", $"remove it or write output {name}");

    /// <summary>CNN0230: the weight file is not there.</summary>
    public static Diagnostic NoWeightsFile(SourceSpan span, string path) =>
        Error(230, span, $"the weight file '{Shorten(path)}' can't be read", "put it beside the .cnn file, or correct its name");

    /// <summary>CNN0231: two weight statements.</summary>
    public static Diagnostic SecondWeightsFile(SourceSpan span) => Error(231, span, "the network has weights already", "keep one weights statement");

    /// <summary>CNN0232: a layer has weights, but no file holds them.</summary>
    public static Diagnostic NoWeightsStatement(SourceSpan span, string keyword) =>
        Error(232, span, $"{keyword} needs weights, and the network names no weight file", "write for example weights \"network.npz\", or weights seed 1");

    /// <summary>CNN0233: an array is not in the weight file.</summary>
    public static Diagnostic NoArray(SourceSpan span, string path, string array, string? near) =>
        Error(233, span, $"'{Shorten(path)}' holds no array '{array}'", Suggest(near, "name the arrays after the layers"));

    /// <summary>CNN0234: an array has another type or shape than its layer says.</summary>
    public static Diagnostic WrongArray(SourceSpan span, string array, Tensor found, string expected) =>
        Error(234, span, $"the array '{array}' is {found}; the layer says {expected}", "correct the layer or store the array in that type and order");

    /// <summary>CNN0235: the codes of a value have no meaning.</summary>
    public static Diagnostic NoQuantization(SourceSpan span, string name, string? path) => Error(
        235,
        span,
        $"'{name}' has no scale and zero point",
        path is null ? "write scale and zero after its type" : $"write scale and zero after it, or store '{name}.scale' and '{name}.zero_point' in '{Shorten(path)}'");

    /// <summary>CNN0236: an array that no layer reads.</summary>
    public static Diagnostic UnusedArray(SourceSpan span, string path, string array) =>
        new("CNN0236", DiagnosticSeverity.Warning, span, $"no layer reads the array '{Shorten(array)}' of '{Shorten(path)}'", "remove it, or check its name");

    /// <summary>CNN0240: arithmetic beyond 64 bits.</summary>
    public static Diagnostic Overflow(SourceSpan span) =>
        Error(240, span, "the result does not fit 64 bits", "use smaller numbers");

    /// <summary>CNN0241: a division by zero.</summary>
    public static Diagnostic DivisionByZero(SourceSpan span) => Error(241, span, "the divisor is 0", "correct the divisor");

    /// <summary>CNN0242: arithmetic with what is no integer.</summary>
    public static Diagnostic NotAnInteger(SourceSpan span, string found) => Error(242, span, $"an integer is needed; this is {found}", "use integers and constants");

    /// <summary>CNN0243: a constant that nothing defines.</summary>
    public static Diagnostic UnknownConstant(SourceSpan span, string name, string? near) =>
        Error(243, span, $"no constant is called '{Shorten(name)}'", Suggest(near, "define it above with const"));

    /// <summary>CNN0244: a constant where a value of the network is read.</summary>
    public static Diagnostic NotAValue(SourceSpan span, string name) =>
        Error(244, span, $"'{name}' is a constant; an input or a layer is read here", "give the value of a layer, or write attribute=value");

    /// <summary>CNN0245: a statement inside a block or repeat that belongs to the network.</summary>
    public static Diagnostic Misplaced(SourceSpan span, string statement, string place) =>
        Error(245, span, $"{statement} can't stand inside a {place}", "move it out, to the network itself");

    /// <summary>CNN0246: a block that calls itself.</summary>
    public static Diagnostic Recursion(SourceSpan span, string block, string called) =>
        Error(246, span, block == called ? $"block '{block}' calls itself" : $"block '{block}' calls itself by way of '{called}'", "blocks can't be recursive: use repeat");

    /// <summary>CNN0247: calls of blocks inside one another.</summary>
    public static Diagnostic CallsTooDeep(SourceSpan span) =>
        Error(247, span, $"more than {N(LanguageLimits.Calls)} calls of blocks are inside one another here", "use fewer blocks");

    /// <summary>CNN0248: a block that nothing calls.</summary>
    public static Diagnostic UnusedBlock(SourceSpan span, string name) =>
        new("CNN0248", DiagnosticSeverity.Warning, span, $"nothing calls block '{name}', so its layers are not checked", "remove it, or call it");

    /// <summary>CNN0249: the call of the block in which the diagnostic before it is.</summary>
    public static Diagnostic InCall(SourceSpan span, string instance, string block) =>
        new("CNN0249", DiagnosticSeverity.Note, span, $"this is in the call of block '{block}' that gives '{instance}'", "see the diagnostic before");

    /// <summary>CNN0250: blocks and repeats make too much.</summary>
    public static Diagnostic UnfoldsTooFar(SourceSpan span, string what, long most) =>
        Error(250, span, $"here the network grows beyond {N(most)} {what}", "repeat fewer times, or call fewer blocks");

    /// <summary>CNN0251: more or fewer names than results.</summary>
    public static Diagnostic WrongNumberOfResults(SourceSpan span, string keyword, int results, int names) =>
        Error(251, span, $"{keyword} gives {(results == 1 ? "one value" : $"{N(results)} values")}; {(names == 1 ? "1 is" : $"{N(names)} are")} named", "correct the names before =");

    /// <summary>CNN0252: a name that blocks inside one another make too long.</summary>
    public static Diagnostic NameTooLong(SourceSpan span, string name) =>
        Error(252, span, $"with the calls around it, the name '{Shorten(name)}' exceeds {N(LanguageLimits.Name)} characters", "use shorter names");

    /// <summary>CNN0253: more weights than are made from a seed.</summary>
    public static Diagnostic TooManySeededWeights(SourceSpan span, string layer, string shape) =>
        Error(253, span, $"with the weights [{shape}] of '{Shorten(layer)}', more than {N(LanguageLimits.SeededWeights)} weights would be made from the seed", "use smaller layers, or a weight file");

    /// <summary>CNN0254: a quantisation after the call of a block.</summary>
    public static Diagnostic QuantizedCall(SourceSpan span, string block) =>
        Error(254, span, $"'{block}' is a block: its results have the quantisation that its layers give them", "write it after the layers in the block");

    /// <summary>CNN0255: a parameter's type that does not exist.</summary>
    public static Diagnostic UnknownParameterType(SourceSpan span, string type) =>
        Error(255, span, $"there is no parameter type '{Shorten(type)}'", "write int or word; a value of the network has no type here");

    /// <summary>CNN0256: a block with the name of a layer.</summary>
    public static Diagnostic BlockNamedAsLayer(SourceSpan span, string name) => Error(256, span, $"'{name}' is a layer of the language", "choose another name for the block");

    /// <summary>CNN0257: a scale for a value that has none, or a fixed one.</summary>
    public static Diagnostic QuantizedReal(SourceSpan span, string name, string what) =>
        Error(257, span, $"'{Shorten(name)}' is {what}; it can't have a scale and zero point of its own", "remove them, or make the value i8");

    /// <summary>A text as a message may show it.</summary>
    internal static string Shorten(string text)
    {
        const int longest = 40;
        var shown = string.Concat(text.Take(longest).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return text.Length > longest ? $"{shown}..." : shown;
    }

    private static string Printable(char character) =>
        character is > ' ' and <= '~' ? $"'{character}'" : string.Create(CultureInfo.InvariantCulture, $"U+{(int)character:X4}");

    private static string Suggest(string? near, string otherwise) => near is null ? otherwise : $"did you mean '{near}'?";

    private static string N(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static Diagnostic Error(int code, SourceSpan span, string message, string remedy) =>
        new(string.Create(CultureInfo.InvariantCulture, $"CNN{code:0000}"), DiagnosticSeverity.Error, span, message, remedy);
}
