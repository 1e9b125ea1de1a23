namespace ChannelServer.Simulation;

/// <summary>Well-formed UTF-8, octet by octet: table 3-7 of the Unicode standard.</summary>
internal sealed class Utf8Rule
{
    private int _missing;
    private byte _least = 0x80;
    private byte _most = 0xBF;

    public bool IsBetweenCharacters => _missing == 0;

    /// <summary>False when no text starts like this.</summary>
    public bool Accepts(byte octet)
    {
        if (_missing > 0)
        {
            if (octet < _least || octet > _most)
                return false;
            _missing--;
            (_least, _most) = (0x80, 0xBF);
            return true;
        }
        switch (octet)
        {
            case <= 0x7F:
                return true;
            case >= 0xC2 and <= 0xDF:
                _missing = 1;
                return true;
            case >= 0xE0 and <= 0xEF:
                _missing = 2;
                _least = octet == 0xE0 ? (byte)0xA0 : (byte)0x80;
                _most = octet == 0xED ? (byte)0x9F : (byte)0xBF;
                return true;
            case >= 0xF0 and <= 0xF4:
                _missing = 3;
                _least = octet == 0xF0 ? (byte)0x90 : (byte)0x80;
                _most = octet == 0xF4 ? (byte)0x8F : (byte)0xBF;
                return true;
            default:
                return false;
        }
    }
}
