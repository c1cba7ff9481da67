// What the libraries of the stand-in share.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

using CUdeviceptr = unsigned long long;

enum CUresult : int {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_ILLEGAL_STATE = 401,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_MERGE = 902,
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905,
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906,
    CUDA_ERROR_CAPTURED_EVENT = 907,
    CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD = 908,
};

namespace standin {

struct Stream;

// Held by every function of the interface.
extern std::mutex everything;
using Lock = std::lock_guard<std::mutex>;

// A piece of work: gives CUDA_SUCCESS, or an error that from then on every call returns, as with a real driver.
using Work = std::function<CUresult()>;

// Says on standard error what happened; gives `result`.
CUresult report(CUresult result, const std::string &what);

// The stream of a handle, or null.
Stream *stream_of(void *handle);

// Puts work at the end of a stream, or into the graph that is being captured.
CUresult enqueue(Stream *stream, Work work);

// Whether a call that a capture in this thread forbids may be done.
CUresult allowed_in_capture(const char *call);

// Whether `count` bytes from `at` on are memory that is there when work runs.
CUresult check_range(const char *who, const void *at, size_t count);

} // namespace standin
