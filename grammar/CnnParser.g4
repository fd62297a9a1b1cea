// Structure of the .cnn language. LL(1), so that a mistake is found where it is made; recovery goes statement by statement
// (RecoveringErrorStrategy). Meaning is the binder's business: any call may have any argument here.
parser grammar CnnParser;

options { tokenVocab = CnnLexer; }

file : header body EOF ;

header : NETWORK name ;

body : open statement* CLOSE_BRACE ;

// A rule of its own, so that recovery from a missing brace goes on with the statements.
open : OPEN_BRACE ;

statement
    : weightsStatement
    | inputStatement
    | outputStatement
    | constStatement
    | blockStatement
    | repeatStatement
    | layerStatement
    ;

// weights "lenet5.npz"     weights seed 42
weightsStatement : WEIGHTS (text | SEED value) ;

// input image : i8[1x28x28x1] scale 0.5 zero -128
inputStatement : INPUT name COLON elementType shape quantization? ;

// output probabilities, features
outputStatement : OUTPUT name (COMMA name)* ;

// const width = 16 * 2
constStatement : CONST name EQUALS value ;

// block residual(x, filters: int, stride: int = 1) { ... output sum }
blockStatement : blockHeader body ;

blockHeader : BLOCK name parameters ;

parameters : OPEN_PAREN (parameter (COMMA parameter)*)? CLOSE_PAREN ;

// A value of the network, or a constant of a type and its default.
parameter : name (COLON parameterType (EQUALS value)?)? ;

parameterType : IDENTIFIER ;

// repeat 3 { ... }     repeat i in 1..3 { ... }
repeatStatement : repeatHeader body ;

repeatHeader : REPEAT value (IN value RANGE value)? ;

// conv1 = conv2d(image, filters=6, kernel=5x5) : scale 0.5 zero -3     left, right = halves(image)
layerStatement : name (COMMA name)* EQUALS layerKind arguments (COLON quantization)? ;

layerKind : IDENTIFIER ;

arguments : OPEN_PAREN (argument (COMMA argument)*)? CLOSE_PAREN ;

// An operand, or an attribute and its value.
argument : IDENTIFIER (EQUALS value)? ;

quantization : SCALE number (ZERO value)? ;

elementType : IDENTIFIER ;

shape : OPEN_BRACKET extents CLOSE_BRACKET ;

extents : value (COMMA value)* ;

// Arithmetic is iterative but for brackets, whose depth is limited: the parser is recursive.
value : term ((PLUS | MINUS) term)* ;

term : factor ((STAR | SLASH | PERCENT) factor)* ;

factor : MINUS* primary ;

primary
    : (INTEGER | REAL)                                 # numberValue
    | EXTENTS                                          # extentsValue
    | IDENTIFIER                                       # wordValue
    | text                                             # textValue
    | OPEN_PAREN value (COMMA value)* CLOSE_PAREN      # listValue
    ;

number : MINUS? (INTEGER | REAL) ;

text : STRING | UNTERMINATED_STRING ;

name : IDENTIFIER ;
