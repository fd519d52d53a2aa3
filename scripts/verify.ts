import { UsageError } from './dev/usage-error.js'
import { type VerifiedFunction, verifyProject } from './verify/verify-project.js'

function toRow({ file, bytes, budget, files, importMs, statuses }: VerifiedFunction) {
  return {
    function: file,
    'MB unpacked': Number((bytes / 1e6).toFixed(2)),
    'MB at most': Number((budget / 1e6).toFixed(2)),
    files,
    'cold import ms': Math.round(importMs),
    'OPTIONS, GET': statuses.join(', '),
  }
}

try {
  const { functions, problems } = await verifyProject(process.cwd())
  console.table(functions.map(toRow))
  for (const problem of problems) console.error(problem)
  console.log(`${functions.length} functions: ${problems.length || 'no'} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = 1
}
