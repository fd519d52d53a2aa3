import type { CreateIndexesOptions, Document, Filter } from 'mongodb'
import type { ConformanceCase, Subject } from '../conformance-case.js'
import { filled, type Row } from '../rows.js'

interface Question {
  filter: Document
  sort?: Record<string, 1 | -1>
  limit?: number
}

/** The names in a plan, outermost first. */
function stagesOf(plan: Document | undefined): Document[] {
  return plan === undefined ? [] : [plan, ...stagesOf(plan.inputStage as Document | undefined)]
}

/** A query over 400 documents that must be answered along this index, reading no more documents than it needs. */
function planned(
  name: string,
  keys: Record<string, 1 | -1>,
  question: Question,
  returned: number,
  options: CreateIndexesOptions = {},
): ConformanceCase {
  const indexName = Object.entries(keys).flat().join('_')
  return {
    name,
    expected: { index: indexName, sorts: false, returned, examined: returned },
    embeddedOnly: true,
    async run(db) {
      const collection = await filled(
        db,
        Array.from({ length: 400 }, (_, index) => ({
          microsite: `m${index % 4}`,
          at: new Date(index),
          state: index % 2 === 0 ? 'due' : 'done',
          ...(index % 4 === 0 && { key: `k${index}` }),
          words: [`w${index % 10}`, `v${index % 7}`],
        })),
      )
      await collection.createIndex(keys, options)
      const { filter, sort = {}, limit = 0 } = question
      const explained = await collection
        .find(filter as Filter<Row>)
        .sort(sort)
        .limit(limit)
        .explain('executionStats')
      const stages = stagesOf(explained.queryPlanner.winningPlan as Document)
      return {
        index: stages.find(stage => stage.stage === 'IXSCAN')?.indexName as unknown,
        sorts: stages.some(stage => stage.stage === 'SORT'),
        returned: explained.executionStats.nReturned as unknown,
        examined: explained.executionStats.totalDocsExamined as unknown,
      }
    },
  }
}

export const plans: Subject = {
  subject: 'plans',
  cases: [
    planned(
      'a first page, newest first',
      { microsite: 1, at: -1, _id: -1 },
      { filter: { microsite: 'm1' }, sort: { at: -1, _id: -1 }, limit: 10 },
      10,
    ),
    planned(
      'a page further on',
      { microsite: 1, at: -1, _id: -1 },
      { filter: { microsite: 'm1', at: { $lt: new Date(201) } }, sort: { at: -1, _id: -1 }, limit: 10 },
      10,
    ),
    planned(
      'a range of dates',
      { microsite: 1, at: -1 },
      { filter: { microsite: 'm1', at: { $gte: new Date(100), $lt: new Date(200) } } },
      25,
    ),
    planned('an ascending index read backwards', { at: 1 }, { filter: {}, sort: { at: -1 }, limit: 5 }, 5),
    planned(
      'what is due, oldest first',
      { state: 1, at: 1 },
      { filter: { state: 'due', at: { $lte: new Date(50) } }, sort: { at: 1 }, limit: 20 },
      20,
    ),
    planned(
      'one word by equality, with the sort behind it',
      { words: 1, at: -1 },
      { filter: { words: 'w3' }, sort: { at: -1 }, limit: 7 },
      7,
    ),
    planned('a unique key that not all have', { key: 1 }, { filter: { key: 'k8' } }, 1, {
      unique: true,
      partialFilterExpression: { key: { $exists: true } },
    }),
    planned(
      'several values of one field',
      { microsite: 1 },
      { filter: { microsite: { $in: ['m1', 'm3'] } } },
      200,
    ),
    planned(
      'several values of one field, newest first: a scan of each, side by side',
      { microsite: 1, at: -1, _id: -1 },
      {
        filter: { microsite: { $in: ['m3', 'm1'] }, at: { $gte: new Date(2) } },
        sort: { at: -1, _id: -1 },
        limit: 10,
      },
      10,
    ),
  ],
}
