namespace CnnCompiler.Targets;

/// <summary>Something that lies in a machine's memory for a part of a run.</summary>
/// <param name="Name">What: a tensor, a buffer of the mapping, constants.</param>
/// <param name="Address">First byte address.</param>
/// <param name="Bytes">Bytes.</param>
/// <param name="FirstLayer">Index of the first layer of the image that it is there for.</param>
/// <param name="LastLayer">Index of the last.</param>
public sealed record MemoryRange(string Name, long Address, long Bytes, int FirstLayer, int LastLayer);
