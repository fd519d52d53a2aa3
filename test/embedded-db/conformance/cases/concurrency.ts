import type { Db } from 'mongodb'
import type { Subject } from '../conformance-case.js'
import { filled, rows, unchecked } from '../rows.js'

const clients = 32

/** Does the same thing on many connections at once; for each, what it gave, or the code it failed with. */
async function together<T>(act: (client: number) => Promise<T>, count = clients): Promise<(T | number)[]> {
  return Promise.all(
    Array.from({ length: count }, (_, client) =>
      act(client).catch((error: { code?: number }) => error.code ?? -1),
    ),
  )
}

const occurrences = (values: unknown[], value: unknown) => values.filter(other => other === value).length

export const concurrency: Subject = {
  subject: 'concurrency',
  cases: [
    {
      name: 'increments by many are all there',
      expected: { _id: 1, n: 320 },
      async run(db) {
        const collection = await filled(db, [{ n: 0 }])
        await together(async () => {
          for (let turn = 0; turn < 10; turn += 1) await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } })
        })
        return collection.findOne()
      },
    },
    {
      name: 'upserts of one unique key make one document: the others match it, or fail with 11000',
      expected: [1, 1, clients],
      async run(db) {
        await rows(db).createIndex({ key: 1 }, { unique: true })
        const outcomes = await together(async client => {
          const { upsertedCount } = await rows(db).updateOne(
            { key: 'x' },
            { $setOnInsert: { by: client } },
            { upsert: true },
          )
          return upsertedCount === 1 ? 'inserted' : 'matched'
        })
        const accounted =
          occurrences(outcomes, 'inserted') + occurrences(outcomes, 'matched') + occurrences(outcomes, 11000)
        return [occurrences(outcomes, 'inserted'), await rows(db).countDocuments(), accounted]
      },
    },
    {
      name: 'upserts of one _id make one document',
      expected: [1, { _id: 'day', n: clients }],
      async run(db) {
        const outcomes = await together(async () => {
          for (;;) {
            try {
              return (await rows(db).updateOne({ _id: 'day' }, { $inc: { n: 1 } }, { upsert: true }))
                .upsertedCount
            } catch (error) {
              if ((error as { code?: number }).code !== 11000) throw error
            }
          }
        })
        return [occurrences(outcomes, 1), await rows(db).findOne()]
      },
    },
    {
      name: 'a limit of ten admits ten of thirty-two',
      expected: { admitted: 10, refused: 22, calls: 10, entries: 10 },
      async run(db) {
        await filled(db, [{ _id: 'period', calls: 0, open: {} }])
        const outcomes = await together(async client => {
          const entry = `open.h${client}`
          const row = await rows(db).findOneAndUpdate(
            { _id: 'period', calls: { $lt: 10 }, [entry]: { $exists: false } },
            { $inc: { calls: 1 }, $set: { [entry]: { seconds: 60 } } },
            { returnDocument: 'after' },
          )
          return row === null ? 'refused' : 'admitted'
        })
        const period = await rows(db).findOne({ _id: 'period' })
        return {
          admitted: occurrences(outcomes, 'admitted'),
          refused: occurrences(outcomes, 'refused'),
          calls: period?.calls as unknown,
          entries: Object.keys((period?.open as object | undefined) ?? {}).length,
        }
      },
    },
    {
      name: 'a conditional upsert at its limit is a refusal by 11000, and admits no more than the limit',
      expected: { admitted: 10, refused: 22, calls: 10 },
      async run(db) {
        const outcomes = await together(async client => {
          for (let tries = 0; ; tries += 1) {
            try {
              await rows(db).updateOne(
                { _id: 'period', calls: { $not: { $gte: 10 } } },
                unchecked({ $inc: { calls: 1 }, $push: { by: client } }),
                { upsert: true },
              )
              return 'admitted'
            } catch (error) {
              if ((error as { code?: number }).code !== 11000) throw error
              if (tries > 0 && ((await rows(db).findOne({ _id: 'period' }))?.calls ?? 0) >= 10)
                return 'refused'
            }
          }
        })
        return {
          admitted: occurrences(outcomes, 'admitted'),
          refused: occurrences(outcomes, 'refused'),
          calls: (await rows(db).findOne())?.calls as unknown,
        }
      },
    },
    {
      name: 'inserts of one unique key: one goes in',
      expected: [1, clients - 1],
      async run(db) {
        await rows(db).createIndex({ key: 1 }, { unique: true })
        const outcomes = await together(async client => {
          await rows(db).insertOne({ _id: client, key: 'x' })
          return 'inserted'
        })
        return [occurrences(outcomes, 'inserted'), occurrences(outcomes, 11000)]
      },
    },
    {
      name: 'a queue gives each job to one worker',
      expected: [64, 64, 0],
      async run(db) {
        const collection = await filled(
          db,
          Array.from({ length: 64 }, (_, at) => ({ at, state: 'due' })),
        )
        await collection.createIndex({ state: 1, at: 1 })
        const taken = (
          await together(async client => {
            const mine: unknown[] = []
            for (;;) {
              const job = await collection.findOneAndUpdate(
                { state: 'due' },
                { $set: { state: 'taken', by: client } },
                { sort: { at: 1 } },
              )
              if (job === null) return mine
              mine.push(job._id)
            }
          })
        ).flat()
        return [taken.length, new Set(taken).size, await collection.countDocuments({ state: 'due' })]
      },
    },
    {
      name: 'a single-use token is used once',
      expected: [1, 1],
      async run(db) {
        const collection = await filled(db, [{ token: 'h' }])
        const outcomes = await together(
          async () =>
            (await collection.findOneAndUpdate(
              { token: 'h' },
              { $unset: { token: '' }, $inc: { uses: 1 } },
            )) !== null,
        )
        return [occurrences(outcomes, true), (await collection.findOne())?.uses as unknown]
      },
    },
    {
      name: 'elements added by many are all there once',
      expected: [32, 32, 1],
      async run(db) {
        const collection = await filled(db, [{ all: [], set: [] }])
        await together(async client =>
          collection.updateOne({ _id: 1 }, unchecked({ $push: { all: client }, $addToSet: { set: 'same' } })),
        )
        const row = await collection.findOne()
        const all = (row?.all ?? []) as number[]
        return [all.length, new Set(all).size, (row?.set as unknown[] | undefined)?.length]
      },
    },
    {
      name: 'compare-and-set: of those that saw the same, one wins',
      expected: [1, 1],
      async run(db) {
        const collection = await filled(db, [{ seconds: 60, moves: 0 }])
        const outcomes = await together(async client => {
          const { modifiedCount } = await collection.updateOne(
            { _id: 1, seconds: 60 },
            { $set: { seconds: 61 + client }, $inc: { moves: 1 } },
          )
          return modifiedCount === 1 ? 'won' : 'lost'
        })
        return [occurrences(outcomes, 'won'), (await collection.findOne())?.moves as unknown]
      },
    },
    {
      name: 'a turn is appended once, whoever retries it',
      expected: [8, 8],
      async run(db) {
        const collection = await filled(db, [{ turns: [] }])
        await together(async client => {
          const id = `turn-${client % 8}`
          return collection.updateOne(
            { _id: 1, 'turns.id': { $ne: id } },
            unchecked({ $push: { turns: { id } } }),
          )
        })
        const turns = ((await collection.findOne())?.turns ?? []) as { id: string }[]
        return [turns.length, new Set(turns.map(turn => turn.id)).size]
      },
    },
    {
      name: 'one index is ensured by many at once',
      referenceFault: 'DocumentDB refuses to build two at once',
      expected: [clients, ['_id_', 'a_1_b_1']],
      async run(db: Db) {
        const outcomes = await together(async () => rows(db).createIndex({ a: 1, b: 1 }, { unique: true }))
        return [occurrences(outcomes, 'a_1_b_1'), (await rows(db).indexes()).map(index => index.name)]
      },
    },
    {
      name: 'a reader never sees half of an update',
      expected: 0,
      async run(db) {
        const collection = await filled(db, [{ a: 0, b: 0 }])
        let torn = 0
        let writing = true
        const readers = together(async () => {
          while (writing) {
            const row = await collection.findOne({ _id: 1 })
            if (row?.a !== row?.b) torn += 1
          }
        }, 8)
        await together(async () => {
          for (let turn = 0; turn < 20; turn += 1)
            await collection.updateOne({ _id: 1 }, { $inc: { a: 1, b: 1 } })
        }, 8)
        writing = false
        await readers
        return torn
      },
    },
  ],
}
