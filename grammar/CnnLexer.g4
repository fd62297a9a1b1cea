// Tokens of the .cnn language. docs/language.md is the reference.
// Regenerate the parser after a change: .ci/check-parser --update
lexer grammar CnnLexer;

channels { COMMENTS }

// Keywords. Layer names, attributes and element types are identifiers: the binder knows them and suggests near ones.
NETWORK : 'network' ;
WEIGHTS : 'weights' ;
INPUT   : 'input' ;
OUTPUT  : 'output' ;
SCALE   : 'scale' ;
ZERO    : 'zero' ;
CONST   : 'const' ;
BLOCK   : 'block' ;
REPEAT  : 'repeat' ;
IN      : 'in' ;
SEED    : 'seed' ;

OPEN_BRACE    : '{' ;
CLOSE_BRACE   : '}' ;
OPEN_PAREN    : '(' ;
CLOSE_PAREN   : ')' ;
OPEN_BRACKET  : '[' ;
CLOSE_BRACKET : ']' ;
EQUALS        : '=' ;
COLON         : ':' ;
COMMA         : ',' ;
MINUS         : '-' ;
PLUS          : '+' ;
STAR          : '*' ;
SLASH         : '/' ;
PERCENT       : '%' ;
RANGE         : '..' ;

// 5x5, 1x28x28x1
EXTENTS : DIGIT+ ('x' DIGIT+)+ ;
REAL    : DIGIT+ '.' DIGIT+ EXPONENT? | DIGIT+ EXPONENT ;
INTEGER : DIGIT+ ;

IDENTIFIER : [a-zA-Z_] [a-zA-Z0-9_]* ;

STRING              : '"' ~["\u0000-\u001F]* '"' ;
UNTERMINATED_STRING : '"' ~["\u0000-\u001F]* ;

LINE_COMMENT         : '//' ~[\r\n]* -> channel(COMMENTS) ;
BLOCK_COMMENT        : '/*' INSIDE_COMMENT '*'+ '/' -> channel(COMMENTS) ;
UNTERMINATED_COMMENT : '/*' INSIDE_COMMENT '*'* -> channel(HIDDEN) ;
SPACE                : [ \t\r\n\uFEFF]+ -> channel(HIDDEN) ;

// Reported by the front end and kept from the parser, so that a stray character is one mistake.
UNKNOWN : . -> channel(HIDDEN) ;

fragment INSIDE_COMMENT : (~'*' | '*'+ ~[*/])* ;
fragment DIGIT    : [0-9] ;
fragment EXPONENT : [eE] [+-]? DIGIT+ ;
