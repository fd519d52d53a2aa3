import { decode } from '../codec.js'
import { storable } from '../documents.js'
import { CommandError } from '../errors.js'
import { type Outcome, updateMatching, upsert } from '../modify.js'
import { Options } from '../options.js'
import { compileProjection } from '../projection.js'
import { Execution, type Query } from '../query.js'
import { compileUpdate, type Update } from '../update.js'
import { type Doc, idOf, type Value } from '../values.js'
import { type Command, collectionName, type Request, readable } from './command.js'

const MAX_BATCH = 100_000

const insert: Command = {
  fields: ['insert', 'documents', 'ordered'],
  run: request => {
    const { options, sequences, store, database } = request
    const encoded = sequences.get('documents')
    const documents = batchOf(request, 'documents')
    const collection = store.ensure(database, collectionName(request))
    let n = 0
    const writeErrors = eachStatement(documents, options, (document, index) => {
      const ready = storable(document, encoded?.[index])
      collection.insert(ready.document, ready.encoded)
      n++
    })
    return { n, ...writeErrors, ok: 1 }
  },
}

const update: Command = {
  fields: ['update', 'updates', 'ordered'],
  run: request => {
    const statements = batchOf(request, 'updates').map(
      statement => new Options('update.updates', statement, ['q', 'u', 'multi', 'upsert'], ['q', 'u']),
    )
    const upserted: { index: number; _id: Value }[] = []
    let [n, nModified] = [0, 0]
    const writeErrors = eachStatement(statements, request.options, (statement, index) => {
      const outcome = updateStatement(request, statement)
      n += outcome.matched
      nModified += outcome.modified
      if (!outcome.upserted) return
      n++
      upserted.push({ index, _id: idOf(outcome.upserted) })
    })
    return { n, nModified, ...(upserted.length > 0 ? { upserted } : {}), ...writeErrors, ok: 1 }
  },
}

const remove: Command = {
  fields: ['delete', 'deletes', 'ordered'],
  run: request => {
    const statements = batchOf(request, 'deletes').map(
      statement => new Options('delete.deletes', statement, ['q', 'limit'], ['q', 'limit']),
    )
    let n = 0
    const writeErrors = eachStatement(statements, request.options, options => {
      const [collection, limit] = [readable(request), options.count('limit') ?? 0]
      if (limit > 1)
        throw new CommandError(
          'FailedToParse',
          `The limit field in delete objects must be 0 or 1. Got ${limit}`,
        )
      for (const entry of [
        ...new Execution(collection, { filter: options.document('q') ?? {}, limit }).run(),
      ]) {
        collection.remove(entry)
        n++
      }
    })
    return { n, ...writeErrors, ok: 1 }
  },
}

function updateStatement(request: Request, options: Options): Outcome {
  const multi = options.flag('multi')
  const update = compileUpdate(options.required('u'))
  if (multi && update.kind === 'replacement') {
    throw new CommandError('FailedToParse', 'multi update is not supported for replacement-style update')
  }
  const query = { filter: options.document('q') ?? {}, limit: multi ? 0 : 1 }
  return updateOrInsert(request, query, update, options.flag('upsert'))
}

function updateOrInsert(request: Request, query: Query, update: Update, upserts: boolean): Outcome {
  const outcome = updateMatching(readable(request), query, update)
  if (outcome.matched > 0 || !upserts) return outcome
  const collection = request.store.ensure(request.database, collectionName(request))
  return { ...outcome, upserted: upsert(collection, query.filter, update) }
}

const findAndModify: Command = {
  fields: ['findAndModify', 'query', 'sort', 'remove', 'update', 'new', 'fields', 'upsert'],
  run: request => {
    const { options } = request
    const query = { filter: options.document('query') ?? {}, sort: options.document('sort'), limit: 1 }
    const project = compileProjection(options.document('fields'))
    const { document, ...lastErrorObject } = options.flag('remove')
      ? findAndRemove(request, query)
      : findAndUpdate(request, query)
    return { lastErrorObject, value: document ? project(document) : null, ok: 1 }
  },
}

interface Modified {
  n: number
  updatedExisting?: boolean
  upserted?: Value
  document?: Doc | undefined
}

function findAndRemove(request: Request, query: Query): Modified {
  const { options } = request
  if (options.has('update') || options.flag('new') || options.flag('upsert')) {
    throw new CommandError('FailedToParse', "Cannot specify 'update', 'new' or 'upsert' with remove=true")
  }
  const collection = readable(request)
  const [found] = new Execution(collection, query).run()
  if (!found) return { n: 0 }
  collection.remove(found)
  return { n: 1, document: found.document }
}

function findAndUpdate(request: Request, query: Query): Modified {
  const { options } = request
  const update = compileUpdate(options.required('update'))
  const { matched, before, after, upserted } = updateOrInsert(request, query, update, options.flag('upsert'))
  const document = options.flag('new') ? (upserted ?? after) : before
  if (upserted) return { n: 1, updatedExisting: false, upserted: idOf(upserted), document }
  return { n: matched, updatedExisting: matched > 0, document }
}

/** Runs each statement of a batch; what one throws is its write error, after which an ordered batch stops. */
function eachStatement<Statement>(
  statements: readonly Statement[],
  options: Options,
  run: (statement: Statement, index: number) => void,
): { writeErrors?: object[] } {
  const ordered = options.flag('ordered', true)
  const writeErrors: object[] = []
  for (const [index, statement] of statements.entries()) {
    try {
      run(statement, index)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      writeErrors.push({ index, code: error.code, errmsg: error.message, ...error.extra })
      if (ordered) break
    }
  }
  return writeErrors.length > 0 ? { writeErrors } : {}
}

function batchOf({ options, sequences }: Request, name: string): Doc[] {
  const batch = sequences.get(name)?.map(decode) ?? options.documents(name)
  if (batch.length >= 1 && batch.length <= MAX_BATCH) return batch
  const reason = `Write batch sizes must be between 1 and ${MAX_BATCH}. Got ${batch.length} operations.`
  throw new CommandError('InvalidLength', reason)
}

export const writeCommands = { insert, update, delete: remove, findAndModify }
