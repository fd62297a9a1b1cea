namespace CnnCompiler.Cli.Tests;

public class SuggestionsTests
{
    [Theory]
    [InlineData("gcnov", "gconv")]
    [InlineData("gconf", "gconv")]
    [InlineData("GCONV", "gconv")]
    [InlineData("imag", "image")]
    [InlineData("images", "image")]
    [InlineData("xyz", null)]
    [InlineData("", null)]
    public void The_nearest_word_is_suggested_if_it_is_near(string given, string? expected) => Assert.Equal(expected, Suggestions.Nearest(given, ["network", "gconv", "mapped", "image"]));

    [Fact]
    public void A_very_long_word_is_not_compared() => Assert.Null(Suggestions.Nearest(new string('a', 100_000), ["a"]));
}
