// Runs a pass of tiles through systolic_array and reports what leaves the array, and in which cycle. It knows the protocol
// of the array's edges (systolic_array.sv) and nothing of what the sums should be: the tests compare with the C# engines.
//
//   bench FILE    reads tiles from FILE, writes to the standard output
//
// The file is words between white space. First `array ROWS COLUMNS OPERAND_WIDTH SUM_WIDTH DOUBLE_BUFFERED`, then tiles:
//   tile ROWS COLUMNS VECTORS TRIMMED   rows and columns used, activation vectors; TRIMMED = 1: only the rows used are
//                                       loaded, and the tile ends with the last sum of the columns used
//   vertical BITS                       a bypass bit for each row of the array, row 0 first, 1 = transparent
//   horizontal BITS                     a bypass bit for each column of the array
//   weights ...                         ROWS * COLUMNS numbers, row by row
//   activations ...                     VECTORS * ROWS numbers, vector by vector
// A tile's load follows the tile before; with DOUBLE_BUFFERED = 1 it begins with the first activation of the tile before,
// and the tile starts when both have ended. For every sum that leaves a column in use the bench writes `TILE COLUMN CYCLE
// VALUE`; CYCLE counts from the first cycle of the pass, that one being 0, and the sum is in its register at the end of
// it. After a tile come `TILE end CYCLE`, the first cycle after it.
// Inputs that the protocol does not ask for carry noise, and registers start with noise: what leaves on time and is right
// depends on neither.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
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
    int rows, columns, operand_width, sum_width, double_buffered;
};

struct Tile {
    int rows, columns, vectors, trimmed;
    std::vector<int> vertical_bypass, horizontal_bypass, weights, activations;
};

// The group of each row or column.
std::vector<int> groups(const std::vector<int>& bypass) {
    std::vector<int> group(bypass.size());
    for (std::size_t i = 1; i < bypass.size(); i++) group[i] = group[i - 1] + (bypass[i - 1] == 0);
    return group;
}

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

    void run(const std::vector<Tile>& tiles) {
        for (std::size_t i = 0; i < tiles.size(); i++) {
            const Tile* next = i + 1 < tiles.size() ? &tiles[i + 1] : nullptr;
            if (i == 0 || !shape.double_buffered) load_alone(static_cast<int>(i), tiles[i], i == 0 ? nullptr : &tiles[i - 1]);
            stream(static_cast<int>(i), tiles[i], shape.double_buffered ? next : nullptr);
        }
        drain(static_cast<int>(tiles.size()));
    }

private:
    Shape shape;
    Noise noise;
    Vsystolic_array array;
    int64_t cycle = 0;

    void reset() {
        disturb();
        array.reset = 1;
        for (int i = 0; i < 2; i++) clock();
        array.reset = 0;
    }

    int rows_loaded(const Tile& tile) const { return tile.trimmed ? tile.rows : shape.rows; }

    void load_alone(int index, const Tile& tile, const Tile* before) {
        for (int step = 0; step < rows_loaded(tile); step++) {
            disturb();
            load(tile, step);
            if (step == rows_loaded(tile) - 1) begin(tile);
            clock();
            // Columns that the tile before did not use may still give something. No other may.
            report(index, before ? before->columns : shape.columns);
            cycle++;
        }
    }

    void stream(int index, const Tile& tile, const Tile* next) {
        const std::vector<int> row_group = groups(tile.vertical_bypass);
        const std::vector<int> column_group = groups(tile.horizontal_bypass);
        const int last_column = tile.trimmed ? tile.columns - 1 : shape.columns - 1;
        const int length = tile.vectors + row_group.back() + column_group[last_column];
        const int until_next = next ? std::max(length, rows_loaded(*next)) : length;
        for (int now = 0; now < until_next; now++, cycle++) {
            disturb();
            for (int row = 0; row < shape.rows; row++) {
                const int vector = now - row_group[row];
                const bool entering = vector >= 0 && vector < tile.vectors;
                if (entering && row < tile.rows) feed(row, tile.activations[vector * tile.rows + row]);
                if (tile.trimmed && row >= tile.rows) feed(row, 0);
                if (row == shape.rows - 1) array.valid_in = entering;
            }
            if (next && now < rows_loaded(*next)) load(*next, now);
            if (next && now == until_next - 1) begin(*next);
            clock();
            report(index, tile.columns);
        }
        std::cout << index << " end " << cycle - until_next + length << '\n';
    }

    // Nothing may leave after the last tile, once what it had in columns that it did not use is out.
    void drain(int index) {
        for (int i = 0; i < 2 * (shape.rows + shape.columns); i++, cycle++) {
            disturb();
            clock();
            if (i >= shape.columns) report(index, shape.columns);
        }
    }

    void clock() {
        array.clk = 0;
        array.eval();
        array.clk = 1;
        array.eval();
    }

    // Noise on all that is data, 0 on all that says what to do.
    void disturb() {
        array.configure = array.weight_load = array.weight_swap = array.valid_in = 0;
        for (int column = 0; column < shape.columns; column++) {
            put(array.weight_in, column * shape.operand_width, shape.operand_width, noise.next());
            put(array.horizontal_bypass, column, 1, noise.next());
        }
        for (int row = 0; row < shape.rows; row++) {
            feed(row, static_cast<int>(noise.next()));
            put(array.vertical_bypass, row, 1, noise.next());
        }
    }

    void feed(int row, int activation) { put(array.activation_in, row * shape.operand_width, shape.operand_width, activation); }

    void load(const Tile& tile, int step) {
        const int row = rows_loaded(tile) - 1 - step;
        array.weight_load = 1;
        for (int column = 0; column < tile.columns; column++) {
            const int weight = row < tile.rows ? tile.weights[row * tile.columns + column] : 0;
            put(array.weight_in, column * shape.operand_width, shape.operand_width, weight);
        }
    }

    // The last cycle before a tile's first activation.
    void begin(const Tile& tile) {
        array.configure = 1;
        array.weight_swap = shape.double_buffered;
        for (int row = 0; row < shape.rows; row++) put(array.vertical_bypass, row, 1, tile.vertical_bypass[row]);
        for (int column = 0; column < shape.columns; column++) put(array.horizontal_bypass, column, 1, tile.horizontal_bypass[column]);
    }

    void report(int index, int columns) {
        for (int column = 0; column < columns; column++) {
            if (get(array.valid_out, column, 1) == 0) continue;
            const uint64_t bits = get(array.sum_out, column * shape.sum_width, shape.sum_width);
            std::cout << index << ' ' << column << ' ' << cycle << ' ' << sign_extended(bits, shape.sum_width) << '\n';
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) fail("usage: bench FILE");
    Verilated::randReset(2);
    Verilated::randSeed(1);

    Reader reader(argv[1]);
    reader.expect("array");
    Shape shape;
    std::string named;
    for (int* part : {&shape.rows, &shape.columns, &shape.operand_width, &shape.sum_width, &shape.double_buffered}) {
        *part = reader.number();
        named += (named.empty() ? "" : "_") + std::to_string(*part);
    }
    // What the model was built with, stated in the same way.
    if (named != BENCH_SHAPE) fail("the vectors are for " + named + ", the model is " BENCH_SHAPE);

    std::vector<Tile> tiles;
    while (!reader.at_end()) {
        reader.expect("tile");
        Tile tile;
        for (int* part : {&tile.rows, &tile.columns, &tile.vectors, &tile.trimmed}) *part = reader.number();
        tile.vertical_bypass = reader.numbers("vertical", shape.rows);
        tile.horizontal_bypass = reader.numbers("horizontal", shape.columns);
        tile.weights = reader.numbers("weights", tile.rows * tile.columns);
        tile.activations = reader.numbers("activations", tile.vectors * tile.rows);
        tiles.push_back(tile);
    }
    Bench(shape).run(tiles);
    return 0;
}
