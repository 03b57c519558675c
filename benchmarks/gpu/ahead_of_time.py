# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Runs what `rapt compile --target=sm_90a` writes on tensors of PyTorch.

NAME.cubin has the kernels, NAME.o what plans and launches them (linked into
NAME.so here, with the system's compiler), NAME.json says what they are.
"""

import ctypes
import json
import os
import subprocess

import torch

cuda = None


def driver():
    global cuda
    if cuda is None:
        torch.cuda.init()
        torch.zeros(1, device="cuda")  # makes the context current
        cuda = ctypes.CDLL("libcuda.so.1")
    return cuda


def check(status, what):
    if status != 0:
        raise RuntimeError(f"{what} failed with CUDA error {status}")


# lib/Support/LaunchWords.h
MAP_WORDS = 24
MAP_RANK = 16


def encode(words, first):
    """Makes a map for the copy engine of what it is to be made of, in place;
    where the driver refuses, there is none."""
    rank = words[first + MAP_RANK]
    if rank == 0:
        return
    record = list(words[first : first + MAP_RANK])
    memory = ctypes.create_string_buffer(128 + 64)
    place = ctypes.addressof(memory)
    place += -place % 64
    status = cuda.cuTensorMapEncodeTiled(
        ctypes.c_void_p(place),
        ctypes.c_int(record[12]),
        ctypes.c_uint32(rank),
        ctypes.c_void_p(record[0]),
        (ctypes.c_uint64 * 5)(*record[1:6]),
        (ctypes.c_uint64 * 4)(*record[6:10]),
        (ctypes.c_uint32 * 5)(record[10], record[11], 1, 1, 1),
        (ctypes.c_uint32 * 5)(1, 1, 1, 1, 1),
        ctypes.c_int(0),
        ctypes.c_int(record[13]),
        ctypes.c_int(3),
        ctypes.c_int(0),
    )
    if status == 0:
        ctypes.memmove(ctypes.addressof(words) + 8 * first, place, 128)
    else:
        words[first + MAP_RANK] = 0


class Kernel:
    def __init__(self, path, hasMaps=True):
        self.hasMaps = hasMaps
        base = os.path.splitext(path)[0]
        with open(base + ".json", encoding="utf-8") as file:
            self.manifest = json.load(file)
        if not os.path.exists(base + ".so"):
            subprocess.run(
                ["cc", "-shared", base + ".o", "-o", base + ".so"], check=True
            )
        host = ctypes.CDLL(base + ".so")
        entries = self.manifest["entries"]
        self.workspace, self.plan, self.launch = (
            host[entries[name]] for name in ("workspace", "plan", "launch")
        )
        for entry in (self.workspace, self.plan, self.launch):
            entry.restype = ctypes.c_int64
        self.module = ctypes.c_void_p()
        with open(base + ".cubin", "rb") as file:
            image = file.read()
        check(
            driver().cuModuleLoadData(ctypes.byref(self.module), image),
            f"loading {path}",
        )
        self.functions = []
        for kernel in self.manifest["gpu"]["kernels"]:
            function = ctypes.c_void_p()
            check(
                cuda.cuModuleGetFunction(
                    ctypes.byref(function), self.module, kernel["name"].encode()
                ),
                kernel["name"],
            )
            check(
                cuda.cuFuncSetAttribute(function, 8, kernel["shared_bytes"]),
                f"{kernel['shared_bytes']} bytes of shared memory",
            )
            self.functions.append((function, kernel))

    def words(self, tensors, onHost=False):
        """The words of arguments and results; integers with addresses of the
        host where they are read when a call is planned."""
        words = []
        for signature in self.manifest["arguments"] + self.manifest["results"]:
            tensor = tensors.get(signature["name"])
            rank = len(signature["axes"])
            if tensor is None:
                words += [0] * (1 + 2 * rank)
                continue
            if onHost and not tensor.is_floating_point():
                tensor = tensor.cpu()
                self.kept.append(tensor)
            words += [tensor.data_ptr(), *tensor.shape, *tensor.stride()]
        return (ctypes.c_int64 * len(words))(*words)

    def prepare(self, **tensors):
        """Plans a call; gives a function that launches it on the current
        stream."""
        self.kept = []
        hostWords = self.words(tensors, onHost=True)
        words = self.words(tensors)
        size = self.workspace(hostWords)
        while True:
            memory = torch.zeros(size + 64, dtype=torch.uint8)
            start = -memory.data_ptr() % 64
            pointer = ctypes.c_void_p(memory.data_ptr() + start)
            needed = self.plan(hostWords, pointer, ctypes.c_int64(size))
            if needed <= size:
                break
            size = needed
        device = memory[start : start + size].cuda()
        properties = torch.cuda.get_device_properties(device.device)
        multiprocessors = properties.multi_processor_count
        launches = []
        for number, (function, kernel) in enumerate(self.functions):
            buffer = (ctypes.c_int64 * 512)()
            count = self.launch(
                words,
                pointer,
                ctypes.c_int64(device.data_ptr()),
                ctypes.c_int64(number),
                buffer,
            )
            for number in range(kernel["tensor_maps"]):
                first = count // 8 - MAP_WORDS * (kernel["tensor_maps"] - number)
                if not self.hasMaps:
                    buffer[first + MAP_RANK] = 0
                encode(buffer, first)
            blocks = buffer[0] * buffer[1] * buffer[2]
            if kernel.get("persistent"):
                blocks = min(blocks, multiprocessors)
            launches.append((function, kernel, buffer, blocks))

        def run(keep=(device, tensors)):
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            for function, kernel, buffer, blocks in launches:
                if blocks == 0:
                    continue
                parameters = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
                check(
                    cuda.cuLaunchKernel(
                        function,
                        blocks, 1, 1,
                        kernel["threads"], 1, 1,
                        kernel["shared_bytes"],
                        stream,
                        parameters,
                        None,
                    ),
                    kernel["name"],
                )

        return run
