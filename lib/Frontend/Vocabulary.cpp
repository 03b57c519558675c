// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/Vocabulary.h"

namespace rapt::frontend {

llvm::ArrayRef<VocabularyWord> getVocabulary() {
  using K = WordKind;
  static const VocabularyWord words[] = {
      {"attention", K::Keyword, "Begins the definition of a mechanism."},
      {"param", K::Keyword,
       "A number fixed when the kernel is compiled, with its default and, "
       "after "
       "'in', its range."},
      {"input", K::Keyword,
       "Tensors that the caller gives, with their element type and axes."},
      {"let", K::Keyword,
       "Names a value; a later 'let' of the name replaces it from there on."},
      {"carry", K::Keyword,
       "Changes a row of each key once at every position between the key and "
       "its query."},
      {"reverse", K::Keyword,
       "Makes a state run from the last key to the first."},
      {"state", K::Keyword,
       "What a loop over the keys carries from one step to the next."},
      {"from", K::Keyword, "The value of a state before the first step."},
      {"repeat", K::Keyword,
       "Stands for its lines several times in every step."},
      {"branch", K::Keyword,
       "A mechanism inside this one, or a family of them, with a result and a "
       "weight."},
      {"in", K::Keyword,
       "After a value: whether it is in a set. After the default of a param: "
       "the range of the param."},
      {"mask", K::Role,
       "Which pairs of query and key count: a boolean per pair; all if it is "
       "not given."},
      {"score", K::Role,
       "How well a key fits a query: a number per pair; dot(q, k) / sqrt(dim) "
       "if it is not given."},
      {"weight", K::Role,
       "What the values of a key count for: a number per pair; softmax(score) "
       "if it is not given."},
      {"out", K::Role,
       "The result, a row per query; sum(weight * v, over = j) if it is not "
       "given."},
      {"b", K::Position, "The number of the batch."},
      {"h", K::Position, "The number of the head of the query."},
      {"i", K::Position,
       "The position of the query, row + keys - queries: the last query stands "
       "at the last key."},
      {"j", K::Position, "The position of the key, from 0."},
      {"row", K::Position, "The number of the query, from 0."},
      {"batch", K::Axis, "The number of sequences of a call."},
      {"heads", K::Axis, "The number of heads of the queries."},
      {"kv_heads", K::Axis,
       "The number of heads of keys and values; each serves equally many heads "
       "of queries."},
      {"groups", K::Axis, "The number of groups of heads that share a tensor."},
      {"queries", K::Axis, "The number of queries of a call."},
      {"keys", K::Axis, "The number of keys of a call."},
      {"pi", K::Constant, "3.14159..."},
      {"inf", K::Constant, "Positive infinity."},
      {"c", K::Candidate, "The integer that is considered for the set."},
      {"f32", K::ElementType, "IEEE numbers of 32 bits."},
      {"bf16", K::ElementType,
       "The upper half of an IEEE number of 32 bits: 8 bits of precision."},
      {"f16", K::ElementType, "IEEE numbers of 16 bits."},
      {"i8", K::ElementType, "Signed integers of 8 bits."},
      {"i16", K::ElementType, "Signed integers of 16 bits."},
      {"i32", K::ElementType, "Signed integers of 32 bits."},
      {"i64", K::ElementType, "Signed integers of 64 bits."},
      {"bool", K::ElementType, "False or true, a byte each."},
      {"mean", K::Pooling, "The mean of a window."},
      {"max", K::Pooling, "The largest number of a window."},
      {"min", K::Pooling, "The smallest number of a window."},
      {"sum", K::Pooling, "The sum of a window."},
      {"i", K::Over, "Over the queries."},
      {"j", K::Over, "Over the keys."},
      {"group", K::Over, "Over the heads that share a head of k."},
      {"weight", K::Member,
       "The weights of the branch: a number for each of its pairs."},
  };
  return words;
}

const VocabularyWord *findWord(llvm::StringRef name, WordKind kind) {
  for (const VocabularyWord &word : getVocabulary())
    if (word.name == name && word.kind == kind)
      return &word;
  return nullptr;
}

const VocabularyWord *findKeyword(llvm::StringRef name) {
  const VocabularyWord *word = findWord(name, WordKind::Keyword);
  return word ? word : findWord(name, WordKind::Role);
}

} // namespace rapt::frontend
