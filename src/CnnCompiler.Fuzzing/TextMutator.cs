using System.Text;

namespace CnnCompiler.Fuzzing;

/// <summary>Damages valid texts: bytes, tokens, lines; flipped, deleted, doubled, exchanged, taken from elsewhere. Equal seeds damage in the same way.</summary>
public static class TextMutator
{
    private static readonly string[] Extremes = ["0", "-1", "1", "4294967296", "99999999999999999999", "1e999", "-0.0", "nan", "inf", "\"", "/*", "//", "{", "}", "(", ")", "]", "=", ",", ":", "\0", "\u00e9", "\ud83d\ude00"];

    /// <summary>A damaged text, as UTF-8 that may be none.</summary>
    /// <param name="text">A valid text.</param>
    /// <param name="seed">Which damage.</param>
    public static byte[] Mutate(string text, ulong seed)
    {
        var random = new SeededRandom(seed);
        var tokens = Tokens(text);
        for (var edits = random.Next(1, 3); edits > 0 && tokens.Count > 0; edits--)
        {
            Edit(tokens, random);
        }

        var bytes = Encoding.UTF8.GetBytes(string.Concat(tokens));
        return random.OneIn(4) ? Damage(bytes, random) : bytes;
    }

    private static void Edit(List<string> tokens, SeededRandom random)
    {
        var (at, other) = (random.Below(tokens.Count), random.Below(tokens.Count));
        switch (random.Below(9))
        {
            case 0:
                tokens.RemoveAt(at);
                break;
            case 1:
                tokens.RemoveRange(at, Math.Min(tokens.Count - at, random.Next(1, 12)));
                break;
            case 2:
                tokens.Insert(at, tokens[other]);
                break;
            case 3:
                tokens[at] = tokens[other];
                break;
            case 4:
                (tokens[at], tokens[other]) = (tokens[other], tokens[at]);
                break;
            case 5:
                tokens[at] = random.Choose<string>(Extremes);
                break;
            case 6:
                // A line, doubled somewhere else or left out.
                var (first, last) = (tokens.FindLastIndex(at, token => token == "\n") + 1, tokens.FindIndex(at, token => token == "\n"));
                var line = last < first ? [] : tokens.GetRange(first, last - first + 1);
                if (random.OneIn(2))
                {
                    tokens.InsertRange(tokens.FindLastIndex(other, token => token == "\n") + 1, line);
                }
                else
                {
                    tokens.RemoveRange(first, line.Count);
                }

                break;
            case 7 when random.OneIn(4):
                tokens.RemoveRange(at, tokens.Count - at);
                break;
            default:
                tokens.Insert(at, random.Choose<string>(Extremes));
                break;
        }
    }

    private static byte[] Damage(byte[] bytes, SeededRandom random)
    {
        for (var n = random.Next(1, 3); n > 0 && bytes.Length > 0; n--)
        {
            var at = random.Below(bytes.Length);
            bytes[at] = random.OneIn(2) ? (byte)(bytes[at] ^ (1 << random.Below(8))) : (byte)random.NextBits();
        }

        return bytes;
    }

    // Words, numbers, and single characters.
    private static List<string> Tokens(string text)
    {
        var tokens = new List<string>();
        for (var start = 0; start < text.Length;)
        {
            var end = start + 1;
            while (IsWord(text[start]) && end < text.Length && IsWord(text[end]))
            {
                end++;
            }

            tokens.Add(text[start..end]);
            start = end;
        }

        return tokens;
    }

    private static bool IsWord(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '.' or '%' or '#' or '@';
}
