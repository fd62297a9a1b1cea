// Runs tiles through systolic_array and reports what leaves the array, and in which cycle. It knows the protocol of the
// array's edges (systolic_array.sv) and nothing of what the sums should be: the tests compare with the C# engines.
//
//   bench FILE    reads tiles from FILE, writes to the standard output
//
// The file is words between white space. First `array ROWS COLUMNS OPERAND_WIDTH SUM_WIDTH`, then tiles:
//   tile VECTORS                   starts a tile of VECTORS activation vectors
//   rows BITS                      ROWS bypass bits, row 0 first, 1 = transparent
//   columns BITS                   COLUMNS bypass bits
//   weights ...                    ROWS * COLUMNS numbers, row by row
//   activations ...                VECTORS * ROWS numbers, vector by vector
// For every sum that leaves, a line `TILE COLUMN CYCLE VALUE`, where CYCLE counts from the tile's first cycle of weight
// loading, that one being 0, and the sum is in its register at the end of it; after a tile `TILE done CYCLES`.
// The first cycle of a tile follows the last one of the tile before. Inputs that the protocol does not ask for carry
// noise, and registers start with noise: what leaves on time and is right depends on neither.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "Vsystolic_array.h"
#include "verilated.h"

namespace {

[[noreturn]] void fail(const std::string& what) {
    std::cerr << "bench: " << what << '\n';
    std::exit(2);
}

// A port of up to 64 bits is an integer, a wider one an array of 32-bit words.
template <typename Port>
void put(Port& port, int first, int width, uint32_t value) {
    const Port mask = static_cast<Port>((uint64_t{1} << width) - 1) << first;
    port = static_cast<Port>((port & ~mask) | (static_cast<Port>(value) << first & mask));
}

template <std::size_t Words>
void put(VlWide<Words>& port, int first, int width, uint32_t value) {
    for (int bit = 0; bit < width; bit++) {
        const uint32_t mask = uint32_t{1} << ((first + bit) % 32);
        EData& word = port[(first + bit) / 32];
        word = (value >> bit & 1) ? word | mask : word & ~mask;
    }
}

template <typename Port>
uint64_t get(const Port& port, int first, int width) {
    const uint64_t bits = static_cast<uint64_t>(port) >> first;
    return width == 64 ? bits : bits & ((uint64_t{1} << width) - 1);
}

template <std::size_t Words>
uint64_t get(const VlWide<Words>& port, int first, int width) {
    uint64_t value = 0;
    for (int bit = 0; bit < width; bit++) {
        value |= static_cast<uint64_t>(port[(first + bit) / 32] >> ((first + bit) % 32) & 1) << bit;
    }
    return value;
}

int64_t sign_extended(uint64_t bits, int width) {
    const uint64_t sign = uint64_t{1} << (width - 1);
    return static_cast<int64_t>((bits ^ sign) - sign);
}

struct Shape {
    int rows, columns, operand_width, sum_width;
};

struct Tile {
    int vectors;
    std::vector<int> row_bypass, column_bypass, weights, activations;
};

// xorshift32 (Marsaglia 2003), for what nobody may depend on.
class Noise {
public:
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
    }

private:
    uint32_t state = 2463534242u;
};

class Reader {
public:
    explicit Reader(const std::string& path) : path(path), stream(path) {
        if (!stream) fail("cannot read " + path);
    }

    bool at_end() { return (stream >> std::ws).eof(); }

    void expect(const std::string& word) {
        std::string found;
        stream >> found;
        if (found != word) fail(path + ": expected '" + word + "', found '" + found + "'");
    }

    int number() {
        int value;
        if (!(stream >> value)) fail(path + ": expected a number");
        return value;
    }

    std::vector<int> numbers(const std::string& name, int count) {
        expect(name);
        std::vector<int> values(count);
        for (int& value : values) value = number();
        return values;
    }

private:
    std::string path;
    std::ifstream stream;
};

class Bench {
public:
    explicit Bench(Shape shape) : shape(shape) { reset(); }

    void run(int index, const Tile& tile) {
        std::vector<int> group(shape.rows);
        for (int row = 1; row < shape.rows; row++) group[row] = group[row - 1] + (tile.row_bypass[row - 1] == 0);

        // No protocol lets a sum leave later than in the deepest pipeline.
        const int limit = 2 * shape.rows + shape.columns + tile.vectors;
        const int expected = tile.vectors * shape.columns;
        int cycle = 0;
        for (int left = 0; left < expected && cycle < limit; cycle++) {
            disturb();
            array.configure = cycle == 0;
            if (cycle == 0) configure(tile);
            array.weight_load = cycle < shape.rows;
            if (cycle < shape.rows) load(tile, shape.rows - 1 - cycle);
            for (int row = 0; row < shape.rows; row++) {
                const int vector = cycle - shape.rows - group[row];
                const bool entering = vector >= 0 && vector < tile.vectors;
                if (entering) put(array.activation_in, row * shape.operand_width, shape.operand_width, tile.activations[vector * shape.rows + row]);
                if (row == shape.rows - 1) array.valid_in = entering;
            }
            clock();
            left += report(index, cycle);
        }
        std::cout << index << " done " << cycle << '\n';
    }

    // Nothing may leave after the last tile.
    void drain(int index) {
        for (int cycle = 0; cycle < shape.rows + shape.columns; cycle++) {
            disturb();
            array.configure = 0;
            array.weight_load = 0;
            array.valid_in = 0;
            clock();
            report(index, cycle);
        }
    }

private:
    Shape shape;
    Noise noise;
    Vsystolic_array array;

    void reset() {
        disturb();
        array.reset = 1;
        array.configure = array.weight_load = array.valid_in = 0;
        for (int cycle = 0; cycle < shape.columns + 1; cycle++) clock();
        array.reset = 0;
    }

    void clock() {
        array.clk = 0;
        array.eval();
        array.clk = 1;
        array.eval();
    }

    void disturb() {
        for (int column = 0; column < shape.columns; column++) {
            put(array.weight_in, column * shape.operand_width, shape.operand_width, noise.next());
            put(array.horizontal_bypass, column, 1, noise.next());
        }
        for (int row = 0; row < shape.rows; row++) {
            put(array.activation_in, row * shape.operand_width, shape.operand_width, noise.next());
            put(array.vertical_bypass, row, 1, noise.next());
        }
    }

    void configure(const Tile& tile) {
        for (int row = 0; row < shape.rows; row++) put(array.vertical_bypass, row, 1, tile.row_bypass[row]);
        for (int column = 0; column < shape.columns; column++) put(array.horizontal_bypass, column, 1, tile.column_bypass[column]);
    }

    void load(const Tile& tile, int row) {
        for (int column = 0; column < shape.columns; column++) {
            put(array.weight_in, column * shape.operand_width, shape.operand_width, tile.weights[row * shape.columns + column]);
        }
    }

    int report(int index, int cycle) {
        int count = 0;
        for (int column = 0; column < shape.columns; column++) {
            if (get(array.valid_out, column, 1) == 0) continue;
            const uint64_t bits = get(array.sum_out, column * shape.sum_width, shape.sum_width);
            std::cout << index << ' ' << column << ' ' << cycle << ' ' << sign_extended(bits, shape.sum_width) << '\n';
            count++;
        }
        return count;
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) fail("usage: bench FILE");
    Verilated::randReset(2);
    Verilated::randSeed(1);

    Reader reader(argv[1]);
    reader.expect("array");
    const Shape shape{reader.number(), reader.number(), reader.number(), reader.number()};
    // The model states the shape it was built with as ROWS_COLUMNS_OPERAND_SUM.
    const std::string named = std::to_string(shape.rows) + '_' + std::to_string(shape.columns) + '_' + std::to_string(shape.operand_width) + '_' + std::to_string(shape.sum_width);
    if (named != BENCH_SHAPE) fail("the vectors are for " + named + ", the model is " BENCH_SHAPE);

    Bench bench(shape);
    int index = 0;
    for (; !reader.at_end(); index++) {
        reader.expect("tile");
        Tile tile;
        tile.vectors = reader.number();
        tile.row_bypass = reader.numbers("rows", shape.rows);
        tile.column_bypass = reader.numbers("columns", shape.columns);
        tile.weights = reader.numbers("weights", shape.rows * shape.columns);
        tile.activations = reader.numbers("activations", tile.vectors * shape.rows);
        bench.run(index, tile);
    }
    bench.drain(index);
    return 0;
}
