import { type BuildOutcome, type BuildTask, buildFunction } from './build-function.js'

// A process that builds functions, one at a time.
process.on('message', async ({ root, builder, directory }: BuildTask) => {
  const outcome: BuildOutcome = await buildFunction(root, builder, directory).then(
    built => ({ built }),
    error => ({ problem: error instanceof Error ? error.message : String(error) }),
  )
  process.send?.(outcome)
})
