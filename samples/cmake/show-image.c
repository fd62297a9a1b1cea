/* Reads the image that the build compiled; docs/image-format.md tells what is in it. */
#include <stdio.h>
#include <string.h>

int main(void)
{
    char magic[8];
    FILE *file = fopen(IMAGE, "rb");
    if (!file || fread(magic, 1, sizeof magic, file) != sizeof magic || memcmp(magic, "CNNB", 4) != 0) {
        fprintf(stderr, "%s is no image\n", IMAGE);
        return 1;
    }
    fseek(file, 0, SEEK_END);
    printf("%ld bytes\n", ftell(file));
    fclose(file);
    return 0;
}
