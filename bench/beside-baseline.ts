import { isDeepStrictEqual } from 'node:util'
import type { BenchDatabase } from './database.js'
import type { Bench } from './harness.js'
import { captureRequest, listRequest } from './lead-requests.js'
import type { RequestTemplate } from './request-template.js'
import { filledWithLeads } from './stored-leads.js'

/** The route that the baseline has too, and the file of the baseline's app. */
export const ROUTE = 'api/leads/index.ts'
export const BASELINE = 'bench/baseline/app.ts'

/** Requests that both answer, and the database that both answer them from. */
export interface BothAnswer {
  title: string
  template: RequestTemplate
  database: BenchDatabase
}

const prepared = new WeakMap<Bench, Promise<BothAnswer[]>>()

/**
 * A capture, and the first page of as many leads as `--sizes` begins with.
 *
 * @throws {Error} where the baseline does other work on the database than the product.
 */
export function requestsOfBoth(bench: Bench): Promise<BothAnswer[]> {
  const requests = prepared.get(bench) ?? prepare(bench)
  prepared.set(bench, requests)
  return requests
}

async function prepare(bench: Bench): Promise<BothAnswer[]> {
  const [leads = 0] = bench.sizes
  const requests = [
    {
      title: 'POST /api/leads',
      template: captureRequest,
      database: bench.deployment.create('baseline'),
    },
    {
      title: `GET /api/leads: the first page of ${leads.toLocaleString('en')}`,
      template: listRequest(bench.authorization),
      database: await filledWithLeads(bench, leads),
    },
  ]
  for (const request of requests) await expectSameWork(bench, request)
  return requests
}

/** The product goes first: it makes the indexes that the baseline expects to be there. */
async function expectSameWork(bench: Bench, { title, template, database }: BothAnswer): Promise<void> {
  const product = await bench.record(ROUTE, database, template)
  bench.say(`${title}, product: ${product.description}`)
  const baseline = await bench.recordBaseline(BASELINE, database, template)
  bench.say(`${title}, baseline: ${baseline.description}`)
  if (!isDeepStrictEqual(baseline.operations, product.operations))
    throw new Error(
      'the baseline sends other commands than the product: what is compared is not the same work',
    )
}
