import { UsageError } from './dev/usage-error.js'
import { SIZE_BUDGET_BYTES, sizeBudgetOf } from './verify/check-function.js'
import { type VerifiedFunction, verifyProject } from './verify/verify-project.js'

function toRow({ file, bytes, files, importMs, statuses }: VerifiedFunction) {
  return {
    function: file,
    'MB unpacked': Number((bytes / 1e6).toFixed(2)),
    files,
    'cold import ms': Math.round(importMs),
    'OPTIONS, GET': statuses.join(', '),
  }
}

try {
  const { functions, problems } = await verifyProject(process.cwd())
  console.table(functions.map(toRow))
  for (const problem of problems) console.error(problem)
  const budgets = `${SIZE_BUDGET_BYTES / 1e6} MB each (chat: ${sizeBudgetOf('api/chat.ts') / 1e6})`
  console.log(`${functions.length} functions, at most ${budgets}: ${problems.length || 'no'} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = 1
}
