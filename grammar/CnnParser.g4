// Structure of the .cnn language. LL(1) but for `name =`, so that a mistake is found where it is made; recovery goes statement by statement
// (RecoveringErrorStrategy). Meaning is the binder's business: any call may have any argument here.
parser grammar CnnParser;

options { tokenVocab = CnnLexer; }

file : network EOF ;

network : NETWORK name body ;

body : OPEN_BRACE statement* CLOSE_BRACE ;

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

argument : IDENTIFIER EQUALS value  # attribute
         | name                     # operand
         ;

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
