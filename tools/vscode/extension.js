// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Starts rapt-lsp for .attn files. Colours come from the grammar, without it.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = async function () {
  const command = vscode.workspace.getConfiguration("rapt").get("server");
  client = new LanguageClient(
    "rapt",
    "Rapt attention language",
    { command },
    { documentSelector: [{ language: "attn" }] },
  );
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(
      `Rapt: cannot start '${command}' (setting rapt.server): ${error.message}`,
    );
  }
};

exports.deactivate = () => client?.stop();
