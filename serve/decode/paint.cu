// Turn decoded surfaces (NV12, P010, P016) into rows of a batch: crop, turn, scale, convert colours, normalise, store.
//
// One job is one surface and the row it becomes; one thread computes one pixel of a row. A side that shrinks is averaged
// over all it covers, a side that grows is interpolated, and colour is sampled where H.264 puts it: left and centre.
// NVRTC compiles this for a GPU; a C++ compiler compiles the same text for the host, which is how tests run it.

#ifdef __CUDACC__
#define ON_DEVICE __device__ inline
typedef unsigned long long address;
#else
#include <cmath>
#include <cstring>
#define ON_DEVICE static inline
typedef unsigned long long address;
using std::floor;
using std::fmax;
using std::fmin;
#endif

// The same layout as JOB in serve/decode/jobs.py; 8-byte members first, so that nothing is padded.
struct Job {
    address luma, chroma, row;
    int luma_pitch, chroma_pitch;            // bytes
    int width, height;                       // of the surface, pixels
    int wide;                                // 1: samples have 16 bits, the highest ones filled
    int row_width, row_height;               // of the view
    int left, top, right, bottom;            // where the picture lies in the view
    int crop_left, crop_top;                 // of the upright, scaled picture
    int scaled_width, scaled_height;         // of the picture as it is stored
    int inner_left, inner_top;               // where the surface lies in that; elsewhere it is padding
    int inner_width, inner_height;
    int swap, flip_x, flip_y;                // from the upright picture to the stored one
    int pad;                                 // grey value
    int kind;                                // 0: uint8 NHWC; 1: float16 NCHW; 2: float32 NCHW
    int blue_first;
    float luma_offset, luma_scale;           // red = (Y - offset) * scale + red_v * (V - 128), and so on
    float red_v, green_u, green_v, blue_u;
    float mean[3], deviation[3];             // value = (pixel - mean) / deviation, in the order of the channels
    int unused;
};

ON_DEVICE int inside(int place, int size) { return place < 0 ? 0 : place >= size ? size - 1 : place; }

ON_DEVICE float sample(address plane, int pitch, int wide, int x, int y, int step, int channel) {
    const unsigned char *line = (const unsigned char *)plane + (long long)y * pitch;
    int at = x * step + channel;
    return wide ? ((const unsigned short *)line)[at] * (1.0f / 256.0f) : (float)line[at];
}

// The samples from `start` on, `length` long, of a line of `size`: first, how many, and the weights of the ends.
struct Span {
    int first, count;
    float head, tail, whole;                 // weights of the first, the last, and those between
};

ON_DEVICE Span span(float start, float length) {
    Span one;
    if (length <= 1.0f) {                    // it grows, or stays: between the two nearest
        float centre = start + 0.5f * length - 0.5f, before = floor(centre + 1e-4f);
        float share = fmax(0.0f, centre - before);
        one.first = (int)before;
        one.count = 2;
        one.head = 1.0f - share;
        one.tail = share;
        one.whole = 0.0f;
        return one;
    }
    float end = start + length, first = floor(start + 1e-4f), last = floor(end - 1e-4f);
    one.first = (int)first;
    one.count = (int)(last - first) + 1;
    one.whole = 1.0f / length;
    one.head = (fmin(end, first + 1.0f) - start) * one.whole;
    one.tail = (end - last) * one.whole;
    return one;
}

ON_DEVICE float weight(Span one, int number) {
    return number == 0 ? one.head : number == one.count - 1 ? one.tail : one.whole;
}

ON_DEVICE float average(
    address plane, int pitch, int wide, int width, int height, int step, int channel, Span across, Span down) {
    float sum = 0.0f;
    for (int j = 0; j < down.count; j++) {
        int y = inside(down.first + j, height);
        float line = 0.0f;
        for (int i = 0; i < across.count; i++)
            line += weight(across, i) * sample(plane, pitch, wide, inside(across.first + i, width), y, step, channel);
        sum += weight(down, j) * line;
    }
    return sum;
}

ON_DEVICE unsigned short half_bits(float value) {
#ifdef __CUDACC__
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#else
    unsigned int all;
    memcpy(&all, &value, 4);
    unsigned int sign = all >> 16 & 0x8000u, rest = all & 0x7fffffffu;
    if (rest >= 0x47800000u) return (unsigned short)(sign | 0x7c00u);                       // beyond float16
    if (rest < 0x38800000u) {                                                               // subnormal there
        float small;
        memcpy(&small, &rest, 4);
        return (unsigned short)(sign | (unsigned int)std::nearbyint(small * 16777216.0f));
    }
    unsigned int rounded = rest + 0xfffu + (rest >> 13 & 1u);
    return (unsigned short)(sign | (rounded - 0x38000000u) >> 13);
#endif
}

ON_DEVICE void store(const Job &job, int x, int y, const float *rgb) {
    long long pixel = (long long)y * job.row_width + x, pixels = (long long)job.row_width * job.row_height;
    for (int channel = 0; channel < 3; channel++) {
        float value = fmin(255.0f, fmax(0.0f, rgb[job.blue_first ? 2 - channel : channel]));
        if (job.kind == 0) {
            ((unsigned char *)job.row)[3 * pixel + channel] = (unsigned char)(value + 0.5f);
            continue;
        }
        value = (value - job.mean[channel]) / job.deviation[channel];
        if (job.kind == 1)
            ((unsigned short *)job.row)[channel * pixels + pixel] = half_bits(value);
        else
            ((float *)job.row)[channel * pixels + pixel] = value;
    }
}

ON_DEVICE void paint_pixel(const Job &job, int x, int y) {
    float rgb[3] = {(float)job.pad, (float)job.pad, (float)job.pad};
    if (x >= job.left && x < job.right && y >= job.top && y < job.bottom) {
        int u = x - job.left + job.crop_left, v = y - job.top + job.crop_top;               // upright, scaled
        int a = job.swap ? v : u, b = job.swap ? u : v;                                     // stored, scaled
        if (job.flip_x) a = job.scaled_width - 1 - a;
        if (job.flip_y) b = job.scaled_height - 1 - b;
        a -= job.inner_left;
        b -= job.inner_top;
        if (a >= 0 && a < job.inner_width && b >= 0 && b < job.inner_height) {
            float wide = (float)job.width / job.inner_width, high = (float)job.height / job.inner_height;
            Span across = span(a * wide, wide), down = span(b * high, high);
            Span half_across = span(0.5f * a * wide + 0.25f, 0.5f * wide), half_down = span(0.5f * b * high, 0.5f * high);
            int half_width = (job.width + 1) / 2, half_height = (job.height + 1) / 2;
            float luma = average(
                job.luma, job.luma_pitch, job.wide, job.width, job.height, 1, 0, across, down);
            float blue = average(
                job.chroma, job.chroma_pitch, job.wide, half_width, half_height, 2, 0, half_across, half_down) - 128.0f;
            float red = average(
                job.chroma, job.chroma_pitch, job.wide, half_width, half_height, 2, 1, half_across, half_down) - 128.0f;
            luma = (luma - job.luma_offset) * job.luma_scale;
            rgb[0] = luma + job.red_v * red;
            rgb[1] = luma + job.green_u * blue + job.green_v * red;
            rgb[2] = luma + job.blue_u * blue;
        }
    }
    store(job, x, y, rgb);
}

#ifdef __CUDACC__
extern "C" __global__ void paint(const Job *jobs) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    const Job &job = jobs[blockIdx.z];
    if (x < job.row_width && y < job.row_height) paint_pixel(job, x, y);
}
#else
extern "C" void paint(const Job *jobs, int count) {
    for (int number = 0; number < count; number++)
        for (int y = 0; y < jobs[number].row_height; y++)
            for (int x = 0; x < jobs[number].row_width; x++) paint_pixel(jobs[number], x, y);
}
extern "C" int job_bytes() { return (int)sizeof(Job); }
#endif
