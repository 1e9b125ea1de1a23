namespace ChannelServer.Relay;

/// <summary>The place of an item in one <see cref="DeadlineList{T,TLink}"/>, kept inside the item itself.</summary>
internal struct DeadlineLink<T> where T : class
{
    public T? Next;
    public T? Previous;
    public TimeSpan Due;

    /// <summary>Whether the item stands in a list.</summary>
    public readonly bool IsListed => Next is not null;
}

/// <summary>Says which link of an item a list uses. An item with two links can stand in two lists at once.</summary>
internal interface IDeadlineLink<T> where T : class
{
    static abstract ref DeadlineLink<T> Of(T item);
}

/// <summary>
/// Deadlines that all lie equally far ahead when they are set: first in, first out. Every operation is O(1), and nothing is
/// allocated, since items link each other. The ring closes over a sentinel, so an item leaves without knowing its list.
/// </summary>
internal sealed class DeadlineList<T, TLink>
    where T : class
    where TLink : IDeadlineLink<T>
{
    private readonly T _sentinel;

    /// <param name="sentinel">An item of which only the link is used; it belongs to the list.</param>
    public DeadlineList(T sentinel)
    {
        _sentinel = sentinel;
        ref DeadlineLink<T> link = ref TLink.Of(sentinel);
        link.Next = link.Previous = sentinel;
        link.Due = TimeSpan.MinValue;
    }

    /// <summary>When the first item is due; <see cref="TimeSpan.MaxValue"/> when there is none.</summary>
    public TimeSpan NextDue
    {
        get
        {
            T first = TLink.Of(_sentinel).Next!;
            return first == _sentinel ? TimeSpan.MaxValue : TLink.Of(first).Due;
        }
    }

    /// <summary>Puts an item at the end, from wherever it stands now.</summary>
    public void Append(T item, TimeSpan due)
    {
        Remove(item);
        T last = TLink.Of(_sentinel).Previous!;
        Invariant.Require(due >= TLink.Of(last).Due);
        ref DeadlineLink<T> link = ref TLink.Of(item);
        link.Previous = last;
        link.Next = _sentinel;
        link.Due = due;
        TLink.Of(last).Next = item;
        TLink.Of(_sentinel).Previous = item;
    }

    /// <summary>Takes an item out of whatever list it stands in by this link.</summary>
    public static void Remove(T item)
    {
        ref DeadlineLink<T> link = ref TLink.Of(item);
        if (!link.IsListed)
            return;
        TLink.Of(link.Previous!).Next = link.Next;
        TLink.Of(link.Next!).Previous = link.Previous;
        link.Next = link.Previous = null;
    }

    /// <summary>Takes the first item out.</summary>
    public bool TryTakeFirst(out T item)
    {
        item = TLink.Of(_sentinel).Next!;
        if (item == _sentinel)
            return false;
        Remove(item);
        return true;
    }

    /// <summary>Takes the first item out if it is due.</summary>
    public bool TryTakeDue(TimeSpan now, out T item)
    {
        item = _sentinel;
        return NextDue <= now && TryTakeFirst(out item);
    }

    /// <summary>How many items there are, by walking: for tests and checks, not for the hot path.</summary>
    public int Count()
    {
        int count = 0;
        for (T item = TLink.Of(_sentinel).Next!; item != _sentinel; item = TLink.Of(item).Next!)
            count++;
        return count;
    }
}
