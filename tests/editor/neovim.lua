-- Drives the language server by Neovim's own client (0.7 or later), as a user's editor does, and writes what came of it to
-- standard output as one line of JSON. By hand:
--
--     HYPER_FLOW=target/debug/hyper-flow nvim --headless -u NONE -i NONE -n pipelines/ablation.ron -c 'luafile tests/editor/neovim.lua'

local told = {}
local buffer = vim.api.nvim_get_current_buf()
local client = vim.lsp.start_client({ name = "hyper-flow", cmd = { vim.env.HYPER_FLOW, "lsp" }, root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(buffer, client)

local function wait(what, ready)
  if not vim.wait(30000, ready, 5) then
    error("waited in vain for " .. what)
  end
end

local function lines()
  return vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
end

local function replace(old, new)
  local start, stop = table.concat(lines(), "\n"):find(old, 1, true)
  local before = table.concat(lines(), "\n")
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(before:sub(1, start - 1) .. new .. before:sub(stop + 1), "\n"))
end

-- Puts the cursor on the first character of `text`, and so many further.
local function to(text, further)
  for row, line in ipairs(lines()) do
    local start = line:find(text, 1, true)
    if start then
      vim.api.nvim_win_set_cursor(0, { row, start - 1 + further })
      return
    end
  end
  error("there is no " .. text)
end

local function ask(method, params)
  local answers = vim.lsp.buf_request_sync(buffer, method, params or vim.lsp.util.make_position_params(0, "utf-16"), 30000)
  local answer = answers[client]
  return answer and answer.result
end

local function run()
  wait("the client", function()
    local running = vim.lsp.get_client_by_id(client)
    return running and running.initialized
  end)

  -- A typo is underlined.
  replace('segments: Param("method.first")', 'segmetns: Param("method.first")')
  wait("a diagnostic", function()
    return #vim.diagnostic.get(buffer) > 0
  end)
  told.typo = {}
  for _, found in ipairs(vim.diagnostic.get(buffer)) do
    local line = lines()[found.lnum + 1]
    table.insert(told.typo, { under = line:sub(found.col + 1, found.end_col), message = found.message })
  end
  replace("segmetns", "segments")
  wait("no diagnostic", function()
    return #vim.diagnostic.get(buffer) == 0
  end)

  -- Completion, where a Model is wanted.
  replace('teacher: "teacher", data: "digits",', 'teacher: , data: "digits",')
  to("teacher: , data", 9)
  told.nodes = vim.tbl_map(function(item)
    return item.label
  end, ask("textDocument/completion"))
  replace("teacher: , data", 'teacher: "teacher", data')

  to("solver_steps", 2)
  told.hover = ask("textDocument/hover").contents.value

  -- Renaming, as `:lua vim.lsp.buf.rename("…")` does it.
  to('"{method}-1-{regime}@{seed}": ', 12)
  vim.lsp.buf.rename("{method}-first-{regime}@{seed}")
  wait("the new name", function()
    return table.concat(lines(), "\n"):find('student: "{method}-first-{regime}@{seed}"', 1, true) ~= nil
  end)
  told.left = select(2, table.concat(lines(), "\n"):gsub("{method}%-1%-{regime}@{seed}", ""))

  told.symbols = #ask("textDocument/documentSymbol", { textDocument = vim.lsp.util.make_text_document_params() })
  vim.cmd("silent write")
end

local ok, message = pcall(run)
told.error = not ok and message or nil
io.stdout:write(vim.fn.json_encode(told) .. "\n")
vim.lsp.stop_client(client)
vim.cmd("qall!")
