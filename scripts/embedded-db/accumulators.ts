import { Int32 } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { extreme } from './expression/arithmetic.js'
import { mergeObjects } from './expression/arrays.js'
import { type Context, compileExpression, type Expression } from './expression/expression.js'
import { Sum } from './numbers.js'
import { orderKey } from './order.js'
import { type Doc, field, isDoc, type Maybe, namesOf, type Value } from './values.js'

/** What one field of a `$group` gathers over the documents of one group. */
interface Gathering {
  add: (value: Maybe) => void
  result: () => Maybe
}

/** A field of a `$group`: the expression that is gathered, and what gathers it. */
interface Accumulator {
  name: string
  value: Expression
  start: () => Gathering
}

const GATHERINGS: Readonly<Record<string, () => Gathering>> = {
  $sum: () => {
    const sum = new Sum()
    return { add: value => sum.add(value), result: () => sum.total() }
  },
  $avg: () => {
    const sum = new Sum()
    return { add: value => sum.add(value), result: () => sum.average() }
  },
  $min: () => gatherExtreme(-1),
  $max: () => gatherExtreme(1),
  $first: () => {
    let first: { value: Maybe } | undefined
    return {
      add: value => {
        first ??= { value }
      },
      result: () => first?.value ?? null,
    }
  },
  $last: () => {
    let last: Maybe
    return {
      add: value => {
        last = value
      },
      result: () => last ?? null,
    }
  },
  $push: () => {
    const values: Value[] = []
    return {
      add: value => {
        if (value !== undefined) values.push(value)
      },
      result: () => values,
    }
  },
  $addToSet: () => {
    const values = new Map<string, Value>()
    return {
      add: value => {
        if (value === undefined) return
        const key = orderKey(value)
        if (!values.has(key)) values.set(key, value)
      },
      result: () => [...values.values()],
    }
  },
  $mergeObjects: () => {
    let merged: Doc = {}
    return {
      add: value => {
        merged = mergeObjects([merged, value])
      },
      result: () => merged,
    }
  },
}

/** Reads a field of a `$group`, `$bucket` or the like. Throws for unknown accumulators (15952). */
export function compileAccumulator(name: string, spec: Value, context: Context): Accumulator {
  const [operator, ...others] = isDoc(spec) ? namesOf(spec) : []
  if (!isDoc(spec) || operator === undefined) {
    throw new CommandError(40234, `The field '${name}' must be an accumulator object`)
  }
  if (others.length > 0) {
    throw new CommandError(40238, `The field '${name}' must specify one accumulator`)
  }
  if (operator === '$count') {
    const start = GATHERINGS.$sum as () => Gathering
    return { name, value: () => new Int32(1), start }
  }
  const start = Object.hasOwn(GATHERINGS, operator) ? GATHERINGS[operator] : undefined
  if (!start) {
    if (/^\$(stdDev|top|bottom|firstN|lastN|maxN|minN|accumulator|median|percentile)/.test(operator)) {
      throw unsupported(`The accumulator ${operator}`)
    }
    throw new CommandError(15952, `unknown group operator '${operator}'`)
  }
  return { name, value: compileExpression(field(spec, operator) as Value, context), start }
}

function gatherExtreme(sign: 1 | -1): Gathering {
  let found: Value = null
  return {
    add: value => {
      found = extreme([found, value], sign)
    },
    result: () => found,
  }
}
