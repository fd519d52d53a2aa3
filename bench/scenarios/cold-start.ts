import { BASELINE, ROUTE, requestsOfBoth } from '../beside-baseline.js'
import type { Bench, Scenario } from '../harness.js'

const AIM = 0.6

/** Node 20 loads these for Express, and the builder takes it for a version that does not. */
const MISSED = ['async-function', 'async-generator-function', 'generator-function'].map(
  name => `node_modules/${name}/*`,
)

async function run(bench: Bench): Promise<void> {
  const requests = await requestsOfBoth(bench)
  bench.say("building both functions with Vercel's builder …")
  const product = await bench.buildFunction(ROUTE)
  const baseline = await bench.buildFunction(BASELINE, MISSED)
  for (const { title, template, database } of requests) {
    const variants = Object.entries({ product, baseline }).map(([name, built]) => ({
      name: `${name}, ${(built.bytes / 1e6).toFixed(1)} MB`,
      async measure() {
        const { importMs, firstAnswerMs, totalMs, cpuMs } = await bench.startCold(built, database, template)
        return {
          'import ms': importMs,
          'first answer ms': firstAnswerMs,
          'with the process ms': totalMs,
          'CPU ms': cpuMs,
        }
      },
    }))
    const [of = '', to = ''] = variants.map(({ name }) => name)
    await bench.compareFigures({
      title: `cold start: ${title}`,
      variants,
      ratio: { label: 'product / baseline', of, to, aims: { 'first answer ms': AIM } },
    })
  }
}

export default {
  summary:
    'a new process imports a built function and answers once, against the baseline built in the same way',
  run,
} satisfies Scenario
