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
    | layerStatement
    ;

// weights "lenet5.npz"
weightsStatement : WEIGHTS text ;

// input image : i8[1x28x28x1] scale 0.5 zero -128
inputStatement : INPUT name COLON elementType shape quantization? ;

// output probabilities, features
outputStatement : OUTPUT name (COMMA name)* ;

// conv1 = conv2d(image, filters=6, kernel=5x5) : scale 0.5 zero -3
layerStatement : name EQUALS layerKind arguments (COLON quantization)? ;

layerKind : IDENTIFIER ;

arguments : OPEN_PAREN (argument (COMMA argument)*)? CLOSE_PAREN ;

// An operand, or an attribute and its value.
argument : IDENTIFIER (EQUALS value)? ;

quantization : SCALE number (ZERO number)? ;

elementType : IDENTIFIER ;

shape : OPEN_BRACKET extents CLOSE_BRACKET ;

extents : EXTENTS | number (COMMA number)* ;

value
    : number                                                        # numberValue
    | EXTENTS                                                       # extentsValue
    | IDENTIFIER                                                    # wordValue
    | text                                                          # textValue
    | OPEN_PAREN value (COMMA value)* CLOSE_PAREN                   # listValue
    ;

number : MINUS? (INTEGER | REAL) ;

text : STRING | UNTERMINATED_STRING ;

name : IDENTIFIER ;
